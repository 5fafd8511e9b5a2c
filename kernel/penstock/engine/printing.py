"""`print` of tasks that asked for it (`log_stdout`), as log lines."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO, cast

_lines: Final[ContextVar["list[str] | None"]] = ContextVar("penstock_printed", default=None)
"""The line that was begun, in a list so that it can grow; None where what is printed is not logged."""


class _Router:
    """Standard output that passes on what is printed, except inside the tasks whose lines are logged."""

    def __init__(self, below: TextIO) -> None:
        self.below = below
        self.users = 0

    def write(self, text: str) -> int:
        begun = _lines.get()
        if begun is None:
            return self.below.write(text)
        *whole, begun[0] = (begun[0] + text).split("\n")
        for line in whole:
            _log(line)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


_lock: Final = threading.Lock()


@contextmanager
def logged() -> Iterator[None]:
    """Log each line that is printed inside the block, in this thread or coroutine, at INFO as the task's own."""
    with _lock:
        router = sys.stdout if isinstance(sys.stdout, _Router) else _Router(sys.stdout)
        router.users += 1
        sys.stdout = cast("TextIO", router)
    begun = [""]
    token = _lines.set(begun)
    try:
        yield
    finally:
        _lines.reset(token)
        if begun[0]:
            _log(begun[0])
        with _lock:
            router.users -= 1
            if not router.users and sys.stdout is cast("TextIO", router):
                sys.stdout = router.below


def _log(line: str) -> None:
    from penstock import logs

    token = _lines.set(None)  # a handler may write to standard output itself
    try:
        logs.task_logger().info("%s", line)
    finally:
        _lines.reset(token)
