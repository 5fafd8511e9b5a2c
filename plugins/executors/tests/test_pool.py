"""What the pool of worker processes does beyond the contract."""

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from penstock import errors
from penstock.testing import calls
from penstock_executors import ProcessExecutor, ThreadExecutor, worker
from penstock_executors.executors import processors
from penstock_executors.pool import WorkerPool


class Counted:
    """A callable that counts how often it is pickled and unpickled."""

    pickled = 0

    def __call__(self, value: int) -> int:
        return value + 1

    def __getstate__(self) -> dict[str, Any]:
        type(self).pickled += 1
        return {"some": "state"}


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


@pytest.fixture
def one() -> Iterator[WorkerPool]:
    """A pool of one worker."""
    made = WorkerPool(1)
    yield made
    made.kill()


def test_a_function_is_pickled_once(one: WorkerPool) -> None:
    counted = Counted()
    assert list(one.map(counted, range(50))) == list(range(1, 51))
    assert Counted.pickled == 1


def test_more_functions_than_a_worker_keeps_are_sent_again(one: WorkerPool) -> None:
    functions = [lambda value, by=by: value + by for by in range(3 * worker.FUNCTIONS_KEPT)]
    for _ in range(2):
        assert [one.submit(function, 1).result() for function in functions] == list(range(1, len(functions) + 1))


def test_functions_and_classes_that_no_worker_can_import_go_by_value(one: WorkerPool) -> None:
    here = sys.modules[__name__]
    assert here.__file__ is not None
    moved = one.submit(lambda point: Point(point.x + 1), Point(1)).result()
    assert isinstance(moved, Point)
    assert moved.x == 2


def test_a_module_loaded_under_the_name_of_another_goes_by_value(one: WorkerPool, tmp_path: Path) -> None:
    impostor = types.ModuleType("json.tool")
    impostor.__file__ = str(tmp_path / "tool.py")
    exec("def main():\n    return 'the impostor'\n", vars(impostor))  # noqa: S102 - a module of our own
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "json.tool", impostor)
        assert one.submit(impostor.main).result() == "the impostor"


def test_a_function_that_cannot_be_loaded_says_so(one: WorkerPool) -> None:
    class Unloadable:
        def __call__(self) -> None: ...

        def __reduce__(self) -> tuple[Any, ...]:
            return __import__, ("a_module_that_is_not_there",)

    with pytest.raises(errors.SerializationError, match="cannot be loaded in a worker process: ModuleNotFoundError"):
        one.submit(Unloadable()).result()


def test_an_argument_that_cannot_be_sent_is_named(one: WorkerPool) -> None:
    with pytest.raises(errors.SerializationError, match=r"`double` cannot be sent.*its argument 1 is a `_thread.lock`"):
        one.submit(calls.double, threading.Lock()).result()
    with pytest.raises(errors.SerializationError, match=r"its argument 'c' is a `_thread.lock`"):
        one.submit(calls.add, 1, c=threading.Lock()).result()


def test_a_worker_that_cannot_start_fails_the_call(
    one: WorkerPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "worker.py"
    broken.write_text("raise SystemExit(9)")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "__file__", str(broken))
        with pytest.raises(errors.ExecutorError, match=r"could not be started: it ended with exit code 9"):
            one.submit(calls.double, 1).result()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "no-python"))
        with pytest.raises(errors.ExecutorError, match=r"could not be started: .*no-python"):
            one.submit(calls.double, 1).result()
    assert one.submit(calls.double, 1).result() == 2


def test_a_worker_that_dies_before_it_takes_a_call_is_replaced(one: WorkerPool) -> None:
    process = one.submit(calls.process).result()
    os.kill(process, 9)
    with contextlib.suppress(ChildProcessError):  # the pool has heard of it
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    assert one.submit(calls.process).result() != process


@pytest.mark.parametrize("fork", [os.fork, lambda: ctypes.CDLL(None).fork()], ids=["in Python", "in compiled code"])
def test_a_worker_is_lost_when_it_has_ended_whatever_it_leaves_behind(
    one: WorkerPool, tmp_path: Path, fork: Callable[[], int]
) -> None:
    def exited_leaving_a_child(gate: Path) -> None:
        if fork():
            os._exit(7)
        while gate.exists():
            time.sleep(0.01)
        os._exit(0)

    gate = tmp_path / "gate"
    gate.touch()
    lost = one.submit(exited_leaving_a_child, gate)
    try:
        with pytest.raises(errors.ExecutorError, match="ended with exit code 7"):
            lost.result(60)
    finally:
        gate.unlink()
    assert one.submit(calls.double, 1).result(60) == 2


def test_what_a_task_forks_does_not_answer_for_it(one: WorkerPool) -> None:
    assert all(one.submit(os.fork).result(60) for _ in range(10))


def test_calls_waiting_at_shutdown_are_done_before_it_returns(one: WorkerPool) -> None:
    waiting = [one.submit(calls.double, number) for number in range(50)]
    one.shutdown()
    assert [future.result(0) for future in waiting] == [2 * number for number in range(50)]
    with pytest.raises(errors.ExecutorError, match=r"`double` was submitted to an executor that is shut down"):
        one.submit(calls.double, 1)


def test_waiting_for_cancelled_calls_ends(one: WorkerPool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    running = one.submit(calls.wait, str(tmp_path / "gate"))
    waiting = [one.submit(calls.double, number) for number in range(3)]
    one.kill()
    assert not futures.wait([running, *waiting], timeout=10).not_done
    assert all(future.cancelled() for future in waiting)
    with pytest.raises((errors.ExecutorError, futures.CancelledError)):
        running.result()


def test_workers_start_when_there_is_work_for_them() -> None:
    made = WorkerPool(8)
    assert [made.submit(calls.double, number).result() for number in range(10)] == [2 * n for n in range(10)]
    assert len(made._threads) == 1
    made.shutdown()


def test_a_worker_leaves_the_interpreter_in_order(tmp_path: Path) -> None:
    def at_exit(path: Path) -> None:
        import atexit

        atexit.register(path.write_text, "left in order")

    with ProcessExecutor(1).open() as made:
        made.submit(at_exit, tmp_path / "note").result()
    assert (tmp_path / "note").read_text() == "left in order"


def test_programs_that_a_task_starts_can_be_interrupted() -> None:
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    with ProcessExecutor(1).open() as made:
        assert made.submit(subprocess.check_output, [sys.executable, "-c", code]).result() == b"True\n"


def test_what_a_task_prints_is_seen_at_once(tmp_path: Path) -> None:
    script = tmp_path / "printing.py"
    script.write_text(
        "import os, sys\n"
        "from penstock_executors import ProcessExecutor\n"
        "with ProcessExecutor(1).open() as pool:\n"
        "    pool.submit(print, 'out').result()\n"
        "    pool.submit(lambda: sys.stderr.write('err')).result()\n"
        "    pool.submit(os._exit, 0).exception()\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("out\n", "err")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_program_without_standard_streams_has_workers_all_the_same(tmp_path: Path, closed: str) -> None:
    script, note = tmp_path / "silent.py", tmp_path / "note"
    script.write_text(
        "import os, pathlib, sys\n"
        "from penstock_executors import ProcessExecutor\n"
        "with ProcessExecutor(1).open() as pool:\n"
        "    pool.submit(print, 'out').result(60)\n"
        "    pool.submit(os.system, 'echo out; echo err >&2').result(60)\n"
        "    pathlib.Path(sys.argv[1]).write_text(str(pool.submit(sum, [1, 2]).result(60)))\n"
    )
    command = f"exec {sys.executable} {script} {note} {closed}"
    subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True, timeout=60)
    assert note.read_text() == "3"


def test_a_call_that_closes_the_standard_output_of_its_worker_is_answered(one: WorkerPool) -> None:
    def close() -> None:
        sys.stdout.close()

    assert one.submit(close).result(60) is None
    assert one.submit(print, "to nobody").exception(60) is not None
    assert one.submit(calls.double, 1).result(60) == 2


def test_by_default_there_is_a_process_for_each_processor() -> None:
    with ProcessExecutor().open() as made:
        assert isinstance(made, WorkerPool)
        assert made._max_workers == processors() == len(os.sched_getaffinity(0))


def test_a_number_of_workers_below_one_is_refused() -> None:
    for kind in (ThreadExecutor, ProcessExecutor):
        with pytest.raises(errors.SettingsError, match='option "max_workers" of executor'):
            kind(0)
