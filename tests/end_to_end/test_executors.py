"""Runs on the executors that the plugins bring."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import pytest

from penstock import Flow, settings, task, unmapped
from penstock.states import Failed, Success
from penstock.testing import calls


@pytest.mark.parametrize("executor", ["in-process", "threads", "asyncio", "processes"])
def test_one_flow_gives_the_same_states_and_values_everywhere(executor: str) -> None:
    @task
    def inverse(x: int) -> float:
        return 1 / x

    @task(max_retries=2, retry_delay=0)
    def flaky(path: str) -> str:
        with Path(path).open("a", encoding="utf-8") as log:
            log.write("x")
        if len(Path(path).read_text(encoding="utf-8")) < 3:
            raise OSError("not yet")
        return "there"

    @task(skip_on_upstream_skip=False)
    def count(values: list[Any]) -> int:
        return len(values)

    with Flow("same") as flow:
        mapped = inverse.map([1, 0, 2, 4])
        patient = flaky(str(Path.cwd() / f"{executor}.txt"))
        counted = count([patient, patient])
    state = flow.run(executor=executor)
    assert [type(child) for child in state.result[mapped].map_states] == [Success, Failed, Success, Success]
    assert state.result[mapped].map_states[1].message == "ZeroDivisionError: division by zero"
    described = state.result[mapped].map_states[1].context["exception"]
    assert [frame["function"] for frame in described["frames"]][-1] == "inverse"
    assert state.result[counted].result == 2


_OWN_POOL: Final = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from penstock import Flow, task

class Point:
    def __init__(self, x):
        self.x = x

@task
def begin(x):
    return Point(x)

@task
def double(point):
    return 2 * point.x

if __name__ == "__main__":
    with Flow("own") as flow:
        doubled = double.map(begin.map([1, 2]))
        whole = begin(3)
    with ProcessPoolExecutor(2, mp_context=get_context(sys.argv[1])) as pool:
        state = flow.run(executor=pool)
        assert pool.submit(abs, -1).result() == 1
    assert isinstance(state.result[whole].result, Point), state.result[whole]
    print(state.result[doubled].result)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes_of_the_callers_own_runs_the_tasks_of_a_script(method: str, tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text(_OWN_POOL, encoding="utf-8")
    ran = subprocess.run([sys.executable, script, method], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.splitlines()[-1:]) == (0, ["[2, 4]"]), ran.stderr


def test_a_value_that_cannot_travel_fails_its_own_child_only() -> None:
    @task
    def make(x: int) -> Any:
        return threading.Lock() if x == 70 else x

    with Flow("travelling") as flow:
        made = make.map(list(range(200)))
    children = flow.run(executor={"type": "processes", "max_workers": 2}).result[made].map_states
    assert [number for number, child in enumerate(children) if child.is_failed()] == [70]
    assert "cannot be pickled" in (children[70].message or "")


def test_a_worker_that_dies_fails_its_own_child_only() -> None:
    @task
    def poison(x: int) -> int:
        if x == 130:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with Flow("poisoned") as flow:
        mapped = poison.map(list(range(200)))
    children = flow.run(executor={"type": "processes", "max_workers": 2}).result[mapped].map_states
    assert [number for number, child in enumerate(children) if child.is_failed()] == [130]
    assert "SIGKILL" in (children[130].message or "")


def test_it_is_known_which_of_the_children_that_travelled_together_killed_their_worker(tmp_path: Path) -> None:
    @task
    def poison(x: int, folder: Path) -> int:
        with (folder / str(x)).open("a", encoding="utf-8") as notes:
            notes.write("x")
        if x == 130:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with Flow("poisoned") as flow:
        poison.map(list(range(200)), folder=unmapped(tmp_path))
    flow.run(executor={"type": "processes", "max_workers": 2})
    counts = {int(note.name): len(note.read_text(encoding="utf-8")) for note in tmp_path.iterdir()}
    assert counts.keys() == set(range(200))
    assert counts[130] == 1
    assert all(count == 1 for child, count in counts.items() if child > 130)


def test_children_of_a_killed_worker_are_tried_again(tmp_path: Path) -> None:
    @task(max_retries=1, retry_delay=0)
    def poison(x: int, trace: Path) -> int:
        if x == 30 and not trace.exists():
            trace.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with Flow("poisoned once") as flow:
        mapped = poison.map(list(range(60)), trace=unmapped(tmp_path / "trace"))
    state = flow.run(executor={"type": "processes", "max_workers": 2})
    assert state.result[mapped].result == list(range(60))


def test_slow_children_do_not_wait_behind_one_another() -> None:
    @task
    def wait(seconds: float) -> int:
        calls.wait_for(seconds)
        return os.getpid()

    quick, slow = [0.0] * 300, [0.05] * 40
    with Flow("a slow block") as flow:
        mapped = wait.map([*quick, *slow, *quick])
    made_by = flow.run(executor={"type": "processes", "max_workers": 2}).result[mapped].result[300:340]
    assert all(5 <= made_by.count(process) <= 35 for process in set(made_by))
    assert len(set(made_by)) == 2


@pytest.mark.parametrize("executor", ["in-process", "threads", "asyncio", "processes"])
@pytest.mark.parametrize("mapped", [False, True], ids=["tasks", "children"])
def test_no_more_tasks_of_a_tag_run_at_once_than_its_limit(executor: str, mapped: bool, tmp_path: Path) -> None:
    def come(number: int) -> None:
        (tmp_path / str(number)).touch()

    def leave(number: int) -> int:
        there = len([*tmp_path.iterdir()])
        (tmp_path / str(number)).unlink()
        return there

    def meet(number: int) -> int:
        come(number)
        calls.wait_for(0.01)
        return leave(number)

    async def meet_later(number: int) -> int:
        come(number)
        await asyncio.sleep(0.01)
        return leave(number)

    numbers = list(range(8))
    with Flow("limited") as flow:
        for start, made in ((0, task(tags={"gpu"})(meet)), (100, task(tags={"gpu", "more"})(meet_later))):
            if mapped:
                made.map([start + number for number in numbers])
            else:
                for number in numbers:
                    made(start + number)
    with settings.override({"limits": {"gpu": 1}, "executor": {"type": executor}}):
        state = flow.run()
    assert state.is_successful(), [one.message for one in state.result.values()]
    met = [one.result for one in state.result.values()]
    assert met == ([[1] * 8] * 2 if mapped else [1] * 16)


def test_a_task_that_is_limited_waits_for_others_of_its_tag_only() -> None:
    @task(tags={"gpu"})
    def limited(gate: threading.Event) -> bool:
        return gate.wait(60)

    @task
    def free(gate: threading.Event) -> None:
        gate.set()

    gate = threading.Event()
    with Flow("limited") as flow:
        waited = [limited(gate) for _ in range(4)]
        free(gate)
    with settings.override({"limits": {"gpu": 1}}):
        state = flow.run(executor="threads")
    assert all(state.result[one].result is True for one in waited)


@pytest.mark.parametrize("executor", ["in-process", "threads", "asyncio", "processes"])
def test_an_interrupt_cancels_what_has_not_ended(executor: str, tmp_path: Path) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(_INTERRUPTED.format(executor=executor, folder=str(tmp_path)), encoding="utf-8")
    with subprocess.Popen([sys.executable, script], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            assert run.stdout is not None
            told = [*iter(run.stdout.readline, "begun\n")]
            run.send_signal(signal.SIGINT)
            begun = time.monotonic()
            out, err = run.communicate(timeout=60)
        finally:
            run.kill()
    assert time.monotonic() - begun < 5
    assert "KeyboardInterrupt" in err
    assert [*"".join([*told, out]).splitlines()] == [
        "free: Success",
        "waiting: Cancelled",
        "never: Cancelled",
        "flow: Cancelled",
    ]
    workers = [int(note.name) for note in (tmp_path / "workers").iterdir()]
    assert workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


_INTERRUPTED: Final = """
import os, time
from pathlib import Path
from penstock import Flow, hookimpl, hooks, task

folder = Path({folder!r})
(folder / "workers").mkdir()

@task
def free():
    return 1

@task
def waiting(one):
    (folder / "workers" / str(os.getpid())).touch()
    while not (folder / "gate").exists():
        time.sleep(0.01)

@task
def never(one):
    pass

class Observer:
    @hookimpl
    def penstock_task_run_state(self, run, old, new):
        if new.is_finished():
            print(run.task_name + ":", new.type, flush=True)

    @hookimpl
    def penstock_flow_run_state(self, run, old, new):
        if new.is_finished():
            print("flow:", new.type, flush=True)

with Flow("interrupted") as flow:
    never(waiting(free()))

import threading

def tell():
    while not any((folder / "workers").iterdir()):
        time.sleep(0.01)
    print("begun", flush=True)

if __name__ == "__main__":
    threading.Thread(target=tell, daemon=True).start()
    with hooks.observing(Observer()):
        flow.run(executor={executor!r})
"""
