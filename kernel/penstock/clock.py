"""The time, as every part of penstock reads it: real unless a test puts another clock in its place."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


class Clock:
    """The clock of this machine; a subclass may show another time."""

    def now(self) -> datetime:
        """Return the wall time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return `time.monotonic()`, in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for *seconds*."""
        if seconds > 0:
            time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return `event.wait(seconds)`."""
        return event.wait(max(seconds, 0))


_clock: Clock = Clock()


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


@contextmanager
def use(clock: Clock) -> Iterator[Clock]:
    """Read the time from *clock* inside the block, in every thread of this process."""
    global _clock  # noqa: PLW0603 - the one place where the process's clock is exchanged
    previous, _clock = _clock, clock
    try:
        yield clock
    finally:
        _clock = previous
