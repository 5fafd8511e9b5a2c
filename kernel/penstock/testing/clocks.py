"""Virtual time: an hour of retry delays in a moment."""

import threading
from datetime import UTC, datetime, timedelta

from penstock import clock

_BEGIN = datetime(2030, 1, 1, tzinfo=UTC)


class VirtualClock(clock.Clock):
    """A clock that stands still until somebody sleeps, and then jumps to when the sleep is over.

    Put it in place with `with clock.use(VirtualClock()):`.
    """

    def __init__(self, start: datetime = _BEGIN) -> None:
        """Stand at *start*, a time with its zone."""
        self._start = start
        self._passed = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the virtual wall time, in UTC."""
        return (self._start + timedelta(seconds=self._passed)).astimezone(UTC)

    def monotonic(self) -> float:
        """Return the virtual seconds since the clock was made."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        with self._lock:
            self._passed += max(seconds, 0)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return whether *event* is set; let *seconds* pass at once if it is not."""
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()
