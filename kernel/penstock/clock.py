"""The time, as every part of penstock reads it: real unless a test puts another clock in its place."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from queue import SimpleQueue

T = TypeVar("T")


class Clock:
    """The clock of this machine. Clocks for tests derive from it."""

    virtual: ClassVar[bool] = False
    """Whether its time is nobody else's."""

    def now(self) -> datetime:
        """Return the wall time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after *seconds*, slept in steps as in `get`; at once if that is not positive."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1))

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return whether *event* is set: as soon as it is, or after *seconds*."""
        return event.wait(max(seconds, 0))

    def get(self, queue: "SimpleQueue[T]", seconds: float | None, calls: Any = ()) -> T:  # noqa: ARG002 - for others
        """Return the next item; raises queue.Empty when *seconds* are over (if that is None, never), or before.

        Before, because a signal that another thread happens to take does not end a wait: who waits looks up each
        second. *calls* are the futures whose end fills the queue, with the `pool` that makes them.
        """
        return queue.get(timeout=min(seconds if seconds is not None else 1, 1))

    def participate(self) -> AbstractContextManager[object]:
        """Return a context in which virtual time moves only while this thread waits for it."""
        return nullcontext()

    def start(self, thread: threading.Thread) -> None:
        """Start a thread that participates from now on until it ends."""
        thread.start()


class Leap:
    """Tells when time did not pass as it should: the wall clock was set, or this process did not run for a while."""

    def __init__(self, longest: float) -> None:
        """Begin; from one question to the next no more than *longest* seconds are to pass."""
        self._longest = longest
        self._seen = monotonic(), now()

    def happened(self) -> bool:
        """Return whether one happened since this was last asked."""
        (steady, wall), self._seen = self._seen, (monotonic(), now())
        passed, shown = self._seen[0] - steady, (self._seen[1] - wall).total_seconds()
        return passed > self._longest or abs(shown - passed) > 1


_clock = Clock()


def now() -> datetime:
    """Return the wall time, in UTC."""
    return _clock.now()


def monotonic() -> float:
    """Return seconds since an arbitrary moment; never goes back."""
    return _clock.monotonic()


def sleep(seconds: float) -> None:
    """Return after *seconds*; at once if that is not positive."""
    _clock.sleep(seconds)


def wait(event: threading.Event, seconds: float) -> bool:
    """Return whether *event* is set: as soon as it is, or after *seconds*."""
    return _clock.wait(event, seconds)


def current() -> Clock:
    """Return the clock that is in its place now, for what it does besides."""
    return _clock


@contextmanager
def use(clock: Clock) -> Iterator[Clock]:
    """Read the time from *clock* inside the block, in every thread of this process."""
    global _clock  # noqa: PLW0603 - the one place where the process's clock is exchanged
    previous, _clock = _clock, clock
    try:
        yield clock
    finally:
        _clock = previous
