"""The executors of this plugin: pools of threads and of processes."""

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
        """Yield a thread pool; leaving waits for the calls under way and cancels those that have not begun."""
        pool = futures.ThreadPoolExecutor(self.max_workers or min(32, processors() + 4), "penstock")
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


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


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
