"""What every executor holds to, as tests."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import ClassVar, Final

import pytest

from penstock import Flow, clock, errors, hookimpl, hooks, redaction, task, triggers, unmapped
from penstock.engine.runs import TaskRun
from penstock.executors import Executor
from penstock.states import State
from penstock.testing import calls
from penstock.testing.clocks import VirtualClock

_SECONDS: Final = 60.0
"""How long anything may take before a test fails instead of hanging."""

FAIL_ON: Final = task(calls.fail_on)
"""A task that is called many times in a flow: its calls do the same work."""

_SCRIPT: Final = """
import sys
from penstock.executors import Executor

class Point:
    def __init__(self, x):
        self.x = x

def move(point, by=1):
    return Point(point.x + by)

with Executor.restore({spec}).open() as pool:
    moved = [pool.submit(move, Point(x)) for x in range(3)]
    print([isinstance(m.result(), Point) and m.result().x for m in moved], flush=True)
    print(pool.submit(lambda: sum(map(lambda n: n * n, range(4)))).result(), flush=True)
    print(pool.submit(print, "printed by a worker", flush=True).result())
"""

_WAITING_SCRIPT: Final = """
from penstock.executors import Executor
from penstock.testing import calls

with Executor.restore({spec}).open() as pool:
    waiting = [pool.submit(calls.tell_process_and_wait, ready, {gate!r}) for ready in {ready!r}]
    for future in waiting:
        future.result()
"""


_MEMORY_SCRIPT: Final = """
import json, resource, sys
from penstock import Flow, task

@task
def fill(size):
    return bytes(size)

@task
def measure(content):
    return len(content)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def run(size):
    with Flow("large") as flow:
        measured = measure(fill(size))
    state = flow.run(executor=json.loads(sys.argv[1]), keep_values=False)
    assert state.result[measured].result == size

run(1)
before = peak()
run(int(sys.argv[2]))
print(peak() - before)
"""


class ExecutorContract:
    """Subclass it as `Test...`, and give the fixture `executor`, which runs `workers` calls at once."""

    workers: ClassVar[int] = 2
    """How many calls run at once; two or more."""
    prints: ClassVar[bool] = True
    """Whether what a call prints is there when its process ends."""

    @pytest.fixture
    def executor(self) -> Executor:
        """Return the executor under test."""
        raise NotImplementedError

    @pytest.fixture
    def pool(self, executor: Executor) -> Iterator[futures.Executor]:
        """Open the executor."""
        with executor.open() as pool:
            assert pool is not None
            yield pool

    def test_results_come_in_the_order_of_the_calls(self, pool: futures.Executor) -> None:
        assert list(pool.map(calls.double, range(100))) == [2 * number for number in range(100)]

    def test_arguments_go_by_position_and_by_name(self, pool: futures.Executor) -> None:
        assert pool.submit(calls.add, 1, b=20, c=300).result(_SECONDS) == 321

    def test_many_small_calls_from_several_threads(self, pool: futures.Executor) -> None:
        def submit(start: int) -> list[int]:
            submitted = [pool.submit(calls.add, number, start) for number in range(250)]
            return [future.result(_SECONDS) for future in submitted]

        with futures.ThreadPoolExecutor(4) as threads:
            results = list(threads.map(submit, range(4)))
        assert results == [[number + start for number in range(250)] for start in range(4)]

    def test_two_calls_run_at_once(self, pool: futures.Executor, tmp_path: Path) -> None:
        first, second = _pipe(tmp_path / "first"), _pipe(tmp_path / "second")
        meeting, met = pool.submit(calls.meet, first, second), pool.submit(calls.wait, first)
        assert met.result(_SECONDS) == "met"
        Path(second).write_text("and parted", encoding="utf-8")
        assert meeting.result(_SECONDS) == "and parted"

    def test_large_values_go_there_and_back(self, pool: futures.Executor) -> None:
        value = os.urandom(1 << 10) * (8 << 10)
        assert pool.submit(calls.double, value).result(_SECONDS) == value + value

    def test_an_exception_is_the_calls_own(self, pool: futures.Executor) -> None:
        failing, working = pool.submit(calls.fail, "no luck"), pool.submit(calls.double, 1)
        with pytest.raises(ValueError, match=r"^no luck$"):
            failing.result(_SECONDS)
        assert working.result(_SECONDS) == 2

    def test_leaving_the_interpreter_is_the_calls_own_affair(self, pool: futures.Executor) -> None:
        left = pool.submit(calls.leave, 3).exception(_SECONDS)
        assert isinstance(left, SystemExit)
        assert left.args == (3,)
        assert pool.submit(calls.double, 1).result(_SECONDS) == 2

    def settle(self, pool: futures.Executor) -> None:
        """Return once the workers of *pool* have heard of what was cancelled; at once, where they need not."""

    def test_a_call_that_has_not_begun_can_be_cancelled(self, pool: futures.Executor, tmp_path: Path) -> None:
        gate = _pipe(tmp_path / "gate")
        trace = tmp_path / "trace"
        running = _occupy(pool, tmp_path, gate, self.workers)
        waiting = pool.submit(trace.touch)
        assert waiting.cancel()
        self.settle(pool)
        _open(gate, running)
        assert pool.submit(calls.double, 1).result(_SECONDS) == 2
        assert not trace.exists()

    def test_leaving_cancels_what_has_not_begun(self, executor: Executor, tmp_path: Path) -> None:
        gate = _pipe(tmp_path / "gate")
        running: list[futures.Future[str]] = []
        with executor.open() as pool:
            assert pool is not None
            running += _occupy(pool, tmp_path, gate, self.workers)
            waiting = [pool.submit(calls.double, number) for number in range(10)]
            opening = threading.Thread(target=_open_after, args=(gate, waiting, running))
            opening.start()
        opening.join(_SECONDS)
        assert all(future.cancelled() for future in waiting)
        assert all(future.done() for future in running)
        with pytest.raises(RuntimeError):
            pool.submit(calls.double, 1)

    def test_it_can_be_opened_again(self, executor: Executor) -> None:
        for _ in range(2):
            with executor.open() as pool:
                assert pool is not None
                assert pool.submit(calls.double, 1).result(_SECONDS) == 2

    def test_a_task_that_takes_too_long_ends_in_time_and_alone(self, executor: Executor) -> None:
        with Flow("slow") as flow:
            waited = task(timeout=0.5)(calls.wait_for).map([0, 2 * _SECONDS, 0])
        begun = time.monotonic()
        state = flow.run(executor=executor)
        assert time.monotonic() - begun < _SECONDS
        children = state.result[waited].map_states
        assert [child.type for child in children] == ["Success", "TimedOut", "Success"]
        assert isinstance(children[1].result, TimeoutError)

    def test_a_task_that_takes_too_long_in_a_flow_within_a_task_ends_alone(self, executor: Executor) -> None:
        with Flow("outer") as flow:
            ended = task(calls.ending_within).map([10, 20])
        assert flow.run(executor=executor).result[ended].result == ["TimedOut", "TimedOut"]

    def test_coroutines_and_plain_tasks_wait_for_each_other(self, executor: Executor) -> None:
        double, later = task(calls.double), task(calls.double_later)
        with Flow("coroutines") as flow:
            numbers = double.map(later.map(double.map([1, 2, 3])))
            total = later(task(calls.total)(numbers))
        state = flow.run(executor=executor)
        assert state.result[numbers].result == [8, 16, 24]
        assert state.result[total].result == 96

    def test_a_coroutine_that_leaves_the_interpreter_fails_alone(self, executor: Executor) -> None:
        later = task(trigger=triggers.all_finished)(calls.double_later)
        with Flow("leaving") as flow:
            left, beside = task(calls.leave_later)(3), later(1)
            after = later(beside, upstream_tasks=[left])
        state = flow.run(executor=executor)
        assert state.result[left].message == "SystemExit: 3"
        assert (state.result[beside].result, state.result[after].result) == (2, 4)

    def test_maps_over_maps_keep_each_child_to_its_own(self, executor: Executor) -> None:
        add, fail_on = task(calls.add), task(calls.fail_on)
        with Flow("maps") as flow:
            first = fail_on.map(list(range(20)), odd=unmapped(7))
            second = add.map(first, b=first)
            third = add.map(second, b=unmapped(1))
        state = flow.run(executor=executor)
        ends = [2 * number + 1 for number in range(20)]
        assert [child.result for child in state.result[third].map_states if child.is_successful()] == [
            *ends[:7],
            *ends[8:],
        ]
        types = [[child.type for child in state.result[mapped].map_states][7] for mapped in (first, second, third)]
        assert types == ["Failed", "TriggerFailed", "TriggerFailed"]

    def test_many_tiny_tasks_keep_each_to_its_own(self, executor: Executor) -> None:
        with Flow("many") as flow:
            tasks = [task(max_retries=1, retry_delay=0)(calls.fail_on)(0, odd=0)]
            tasks += [FAIL_ON(number, odd=70) for number in range(100)]
        state = flow.run(executor=executor)
        ends = [state.result[one] for one in tasks]
        assert [number for number, end in enumerate(ends, -1) if end.is_failed()] == [-1, 70]
        assert [end.result for end in ends[1:] if end.is_successful()] == [n for n in range(100) if n != 70]

    def test_an_hour_of_retry_delays_need_not_be_waited_for_in_virtual_time(self, executor: Executor) -> None:
        with Flow("patient") as flow:
            tried = task(max_retries=3, retry_delay=1200)(calls.fail_until)(4)
        with clock.use(VirtualClock()) as virtual:
            state = flow.run(executor=executor)
        assert state.result[tried].result == 4
        assert round(virtual.monotonic()) == 3600

    def test_a_secret_that_a_task_asked_for_is_hidden_where_the_run_is_driven(self, executor: Executor) -> None:
        value = f"s3cr3t-{uuid.uuid4().hex}"
        with Flow("telling") as flow:
            told = task(calls.tell_secret)("TOKEN")
        state = flow.run(executor=executor, context={"secrets": {"TOKEN": value}}).result[told]
        assert (state.message, str(state.result)) == ("ValueError: ***", value)
        assert redaction.hidden(f"the error is {state.result}") == "the error is ***"

    def test_its_spec_restores_it(self, executor: Executor) -> None:
        assert Executor.restore(json.loads(executor.spec().model_dump_json())) == executor

    def test_an_unguarded_script_works(self, executor: Executor, tmp_path: Path) -> None:
        script = tmp_path / "unguarded.py"
        script.write_text(_SCRIPT.format(spec=executor.spec().model_dump()), encoding="utf-8")
        done = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True)
        assert done.stderr == ""
        printed = [line.endswith("printed by a worker") for line in done.stdout.splitlines()]
        assert printed.count(True) == 1 or not self.prints
        said = [line for line, by_worker in zip(done.stdout.splitlines(), printed, strict=True) if not by_worker]
        assert said == ["[1, 2, 3]", "14", "None"]


class RemoteExecutorContract(ExecutorContract):
    """What an executor holds to besides if its calls cross a process boundary on this machine."""

    tells_how: ClassVar[bool] = True
    """Whether the error of a call whose worker died says how that ended."""

    def test_it_says_that_it_is_remote(self, executor: Executor) -> None:
        assert type(executor).remote

    def test_calls_run_in_other_processes(self, pool: futures.Executor) -> None:
        assert pool.submit(calls.process).result(_SECONDS) != os.getpid()

    def test_what_cannot_be_pickled_fails_its_own_call(self, pool: futures.Executor) -> None:
        failing = {
            "argument": pool.submit(calls.double, threading.Lock()),
            "result": pool.submit(calls.lock),
            "UnpicklableError": pool.submit(calls.raise_unpicklable),
            "wants a code": pool.submit(calls.raise_demanding),
        }
        for text, future in failing.items():
            with pytest.raises(errors.SerializationError, match=text):
                future.result(_SECONDS)
        assert pool.submit(calls.double, 1).result(_SECONDS) == 2

    def test_an_exception_tells_where_in_the_worker_it_was_raised(self, pool: futures.Executor) -> None:
        raised = pool.submit(calls.fail, "no luck").exception(_SECONDS)
        assert raised is not None
        assert "raise ValueError(message)" in str(raised.__cause__)

    @pytest.mark.parametrize(
        ("function", "argument", "words"),
        [(calls.killed, signal.SIGKILL, "SIGKILL"), (calls.killed, signal.SIGSEGV, "SIGSEGV"), (calls.exited, 3, "3")],
    )
    def test_a_dead_worker_loses_its_own_call_only(
        self, pool: futures.Executor, function: Callable[[int], None], argument: int, words: str
    ) -> None:
        before = [pool.submit(calls.double, number) for number in range(20)]
        lost = pool.submit(function, argument)
        after = [pool.submit(calls.double, number) for number in range(20)]
        with pytest.raises(errors.ExecutorError, match=words if self.tells_how else "lost"):
            lost.result(_SECONDS)
        assert [future.result(_SECONDS) for future in before + after] == [2 * number for number in range(20)] * 2

    def test_a_worker_that_dies_in_time_is_not_taken_for_one_that_was_too_late(self, executor: Executor) -> None:
        with Flow("dying") as flow:
            lost = task(timeout=10 * _SECONDS)(calls.exited)(3)
        state = flow.run(executor=executor).result[lost]
        assert (state.type, ("exit code 3" if self.tells_how else "lost") in str(state.message)) == ("Failed", True)

    def test_workers_that_die_idle_lose_no_call(self, pool: futures.Executor) -> None:
        for _ in range(3):
            os.kill(pool.submit(calls.process).result(_SECONDS), signal.SIGKILL)
            assert pool.submit(calls.double, 1).result(_SECONDS) == 2

    def test_leaving_ends_every_process(self, executor: Executor, tmp_path: Path) -> None:
        gate = _pipe(tmp_path / "gate")
        with executor.open() as pool:
            assert pool is not None
            ready = [_pipe(tmp_path / f"ready-{number}") for number in range(2)]
            lost = [pool.submit(calls.tell_process_and_wait, told, gate) for told in ready]
            processes = [int(Path(told).read_text(encoding="utf-8")) for told in ready]
        for process in processes:
            with pytest.raises(ProcessLookupError):
                os.kill(process, 0)
        for future in lost:
            with pytest.raises((errors.ExecutorError, futures.CancelledError)):
                future.result(0)

    def test_workers_end_with_a_parent_that_is_killed(self, executor: Executor, tmp_path: Path) -> None:
        with _waiting_script(executor, tmp_path) as (parent, processes):
            parent.kill()
            assert all(_ends(process) for process in processes)

    def test_an_interrupt_is_told_once(self, executor: Executor, tmp_path: Path) -> None:
        with _waiting_script(executor, tmp_path) as (parent, processes):
            os.killpg(parent.pid, signal.SIGINT)
            _, told = parent.communicate(timeout=_SECONDS)
            assert told.count(b"Traceback") == told.count(b"KeyboardInterrupt") == 1
            assert all(_ends(process) for process in processes)

    def test_a_worker_has_its_parents_surroundings(
        self, executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PENSTOCK_TEST_VARIABLE", "set")
        monkeypatch.syspath_prepend(tmp_path / "modules")
        with executor.open() as pool:
            assert pool is not None
            found = pool.submit(calls.surroundings).result(_SECONDS)
        assert found["path"][-len(sys.path) :] == sys.path
        assert (found["folder"], found["variable"]) == (str(tmp_path), "set")


class ReferencesContract:
    """What an executor holds to besides whose large values stay where they were made.

    Subclass it as `Test...`, and give the fixture `executor`, which joins a cluster that is there, from any process.
    """

    large: ClassVar[int] = 500 << 20
    """How many bytes go from one task to another."""

    @pytest.fixture
    def executor(self) -> Executor:
        """Return the executor under test."""
        raise NotImplementedError

    def test_large_values_come_here_only_at_the_end(self, executor: Executor) -> None:
        told: list[type] = []

        class Watching:
            @hookimpl
            def penstock_task_run_state(self, run: TaskRun, new: State) -> None:
                if new.is_successful() and run.task_name == "fill" and not new.is_mapped():
                    told.append(type(new.result))

        sizes = [1 << 20, 1, 1 << 21]
        with Flow("large") as flow:
            fill = task(name="fill")(calls.filled)
            content, contents = fill(1 << 20), fill.map(sizes)
            size, measured = task(calls.size)(content), task(calls.size).map(contents)
        with hooks.observing(Watching()):
            state = flow.run(executor=executor)
        assert sorted(kind is bytes for kind in told) == [False, False, False, True]
        assert (state.result[size].result, state.result[measured].result) == (1 << 20, sizes)
        assert type(state.result[content].result) is bytes
        assert [type(one) for one in state.result[contents].result] == [bytes] * 3
        assert [len(child.result) for child in state.result[contents].map_states] == sizes

    def test_a_large_value_between_two_tasks_takes_no_memory_here(self, executor: Executor) -> None:
        command = [sys.executable, "-c", _MEMORY_SCRIPT, executor.spec().model_dump_json(), str(self.large)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.splitlines()[-1]) < 50 << 10  # KiB


def _pipe(path: Path) -> str:
    os.mkfifo(path)
    return str(path)


def _occupy(pool: futures.Executor, folder: Path, gate: str, workers: int) -> "list[futures.Future[str]]":
    """Return calls that are under way on every worker and wait at *gate*."""
    ready = [_pipe(folder / f"ready-{number}") for number in range(workers)]
    running = [pool.submit(calls.tell_process_and_wait, told, gate) for told in ready]
    for told in ready:
        Path(told).read_text(encoding="utf-8")
    return running


def _open(gate: str, running: "list[futures.Future[str]]") -> None:
    """Open *gate* until everybody who waits at it has passed."""
    while futures.wait(running, 0.01).not_done:
        with contextlib.suppress(OSError):  # nobody is there yet, or any more
            descriptor = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
            os.close(descriptor)


def _open_after(gate: str, waiting: "list[futures.Future[int]]", running: "list[futures.Future[str]]") -> None:
    ended = threading.Semaphore(0)
    for future in waiting:
        future.add_done_callback(lambda _: ended.release())
    all(ended.acquire(timeout=_SECONDS) for _ in waiting)  # if not, the test fails; who waits at the gate goes on
    _open(gate, running)


@contextlib.contextmanager
def _waiting_script(executor: Executor, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", list[int]]]:
    """Run a script, in a process group of its own, whose workers wait; yield it and their process ids."""
    gate = _pipe(folder / "gate")
    ready = [_pipe(folder / f"ready-{number}") for number in range(2)]
    script = folder / "waiting.py"
    script.write_text(
        _WAITING_SCRIPT.format(spec=executor.spec().model_dump(), gate=gate, ready=ready), encoding="utf-8"
    )
    parent = subprocess.Popen([sys.executable, script], start_new_session=True, stderr=subprocess.PIPE)
    try:
        yield parent, [int(Path(told).read_text(encoding="utf-8")) for told in ready]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()


def _ends(process: int) -> bool:
    """Return whether *process* ends before long."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], _SECONDS)[0])
    finally:
        os.close(descriptor)
