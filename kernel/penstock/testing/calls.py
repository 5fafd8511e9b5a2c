"""Functions that the tests of executors submit; workers import them from here, without pytest."""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from penstock import Flow, Secret, task
from penstock.context import context


def double(value: Any) -> Any:
    """Return twice the value."""
    return value + value


def add(a: int, b: int = 0, *, c: int = 0) -> int:
    """Return the sum."""
    return a + b + c


def fail(message: str) -> NoReturn:
    """Raise ValueError."""
    raise ValueError(message)


def leave(code: int) -> NoReturn:
    """Raise SystemExit."""
    sys.exit(code)


def lock() -> threading.Lock:
    """Return what cannot be pickled."""
    return threading.Lock()


class UnpicklableError(Exception):
    """An exception that cannot be pickled."""

    def __init__(self, message: str) -> None:
        """Hold what cannot be pickled."""
        super().__init__(message)
        self.lock: Any = threading.Lock()


class DemandingError(Exception):
    """An exception that is pickled, and cannot be made again from its pickle."""

    def __init__(self, code: int, message: str) -> None:
        """Take more arguments than are pickled."""
        super().__init__(message)
        self.code: int = code


def raise_unpicklable() -> NoReturn:
    """Raise an exception that cannot be pickled."""
    raise UnpicklableError("it holds a lock")


def raise_demanding() -> NoReturn:
    """Raise an exception that cannot be made again."""
    raise DemandingError(7, "it wants a code")


def process() -> int:
    """Return the id of the process that this runs in."""
    return os.getpid()


def thread() -> int:
    """Return the id of the thread that this runs in."""
    return threading.get_ident()


def wait(gate: str) -> str:
    """Return what is written to the named pipe *gate*, once something is."""
    return Path(gate).read_text(encoding="utf-8")


def meet(mine: str, other: str) -> str:
    """Write to one named pipe and read from another: returns only if both callers run at once."""
    Path(mine).write_text("met", encoding="utf-8")
    return wait(other)


def tell_process_and_wait(ready: str, gate: str) -> str:
    """Write this process's id to the named pipe *ready*, then wait."""
    Path(ready).write_text(str(os.getpid()), encoding="utf-8")
    return wait(gate)


def killed(number: int = signal.SIGKILL) -> None:
    """End this process by a signal."""
    os.kill(os.getpid(), number)


def exited(code: int) -> None:
    """End this process without a word."""
    os._exit(code)


def surroundings() -> dict[str, Any]:
    """Return what a process takes over from its parent."""
    return {"path": sys.path, "folder": str(Path.cwd()), "variable": os.environ.get("PENSTOCK_TEST_VARIABLE")}


def wait_for(seconds: float) -> float:
    """Wait in a way that nothing but a signal ends, and return *seconds*."""
    threading.Event().wait(seconds)
    return seconds


def ending_within(seconds: float) -> str:
    """Return how a task ends that waits so long and has less time, in a flow that runs here."""
    with Flow("inner") as flow:
        late = task(timeout=seconds / 100)(wait_for)(seconds)
    return str(flow.run().result[late].type)


def filled(size: int) -> bytes:
    """Return so many bytes."""
    return bytes(size)


def size(content: bytes) -> int:
    """Return how many bytes there are."""
    return len(content)


async def double_later(value: Any) -> Any:
    """Return *value* added to itself, after others had their turn."""
    await asyncio.sleep(0)
    return value + value


async def leave_later(code: int) -> None:
    """Raise SystemExit, after others had their turn, in a coroutine that runs beside this one."""
    await asyncio.gather(_leave(code))


async def _leave(code: int) -> NoReturn:
    await asyncio.sleep(0)
    leave(code)


def fail_on(value: int, odd: int) -> int:
    """Return *value* unless it is *odd*, which fails."""
    if value == odd:
        raise ValueError(value)
    return value


def tell_secret(name: str) -> NoReturn:
    """Raise ValueError with the value of a secret."""
    raise ValueError(Secret(name).get())


def fail_until(attempt: int) -> int:
    """Fail before the *attempt*-th attempt of a task, which returns its number."""
    count: int = context["task_run_count"]
    if count < attempt:
        raise ConnectionError(count)
    return count


def total(numbers: list[int]) -> int:
    """Return the sum."""
    return sum(numbers)
