"""The executors of this plugin: pools of threads, of processes, and around an event loop."""

import ctypes
import os
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from penstock.executors import Executor


class ThreadExecutor(Executor):
    """Run tasks on threads of this process: for tasks that wait, or that leave the interpreter's lock."""

    type: ClassVar[str] = "threads"
    positional: ClassVar[tuple[str, ...]] = ("max_workers",)

    max_workers: int | None = Field(
        default=None, ge=1, description="how many threads at most [processors + 4, up to 32]"
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, max_workers: int | None = None) -> None: ...

    @contextmanager
    def open(self) -> Iterator[futures.Executor]:
        """Yield a thread pool; leaving waits for the calls under way and cancels those that have not begun.

        Ctrl-C interrupts the calls too, as far as they run Python code: nothing can end a thread from outside.
        """
        pool = futures.ThreadPoolExecutor(self.max_workers or min(32, processors() + 4), "penstock")
        with _closing(pool):
            yield pool


class AsyncioExecutor(Executor):
    """Run coroutines on one event loop, so many at once, and other tasks on threads: for tasks that mostly wait."""

    type: ClassVar[str] = "asyncio"
    positional: ClassVar[tuple[str, ...]] = ("max_concurrency",)

    max_concurrency: int = Field(
        default=100, ge=1, description="how many coroutines run at once, and how many other tasks"
    )

    if TYPE_CHECKING:  # as above

        def __init__(self, max_concurrency: int = 100) -> None: ...

    @contextmanager
    def open(self) -> Iterator[futures.Executor]:
        """Yield the pool; leaving waits for the functions under way, and cancels coroutines and what has not begun."""
        from penstock_executors.loop import LoopPool

        pool = LoopPool(self.max_concurrency)
        with _closing(pool):
            yield pool


class ProcessExecutor(Executor):
    """Run tasks in worker processes of this machine: for tasks that compute."""

    type: ClassVar[str] = "processes"
    positional: ClassVar[tuple[str, ...]] = ("max_workers",)
    remote: ClassVar[bool] = True

    max_workers: int | None = Field(default=None, ge=1, description="how many processes at most [processors]")

    if TYPE_CHECKING:  # as above

        def __init__(self, max_workers: int | None = None) -> None: ...

    @contextmanager
    def open(self) -> Iterator[futures.Executor]:
        """Yield a process pool; leaving kills the workers of calls under way and ends the others."""
        from penstock_executors.pool import WorkerPool

        pool = WorkerPool(self.max_workers or processors())
        try:
            yield pool
        finally:
            pool.kill()


@contextmanager
def _closing(pool: futures.ThreadPoolExecutor) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for thread in pool._threads:  # noqa: SLF001 - the pool itself can only wait for them
            interrupt = ctypes.py_object(KeyboardInterrupt)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), interrupt)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
