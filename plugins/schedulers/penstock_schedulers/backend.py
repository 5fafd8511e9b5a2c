"""The scheduler that turns the schedules of registered flows into runs for agents to claim."""

import logging
import threading
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from penstock import clock, errors, get_backend, settings
from penstock.schedulers import Scheduler

if TYPE_CHECKING:
    from penstock.backends import Backend

_log: Final = logging.getLogger("penstock.scheduler")


class BackendScheduler(Scheduler):
    """Keeps the coming runs of every active schedule ready, and ends runs that nobody holds any more.

    Any number may look after one backend; each due run is created once. Runs that were kept ready stay when their time
    passes; of the times beyond, `catchup` says which become runs when a scheduler looks again.
    """

    type: ClassVar[str] = "backend"

    ahead: int | None = Field(default=None, ge=1, description="how many coming runs are kept ready [scheduler.ahead]")
    interval_seconds: float | None = Field(
        default=None, gt=0, description="how often schedules are looked at [scheduler.interval_seconds]"
    )

    catchup: settings.Catchup | None = Field(
        default=None, description="which times become runs that passed while nobody looked [scheduler.catchup]"
    )

    def run(self, stop: threading.Event) -> None:
        """Look after the configured backend until *stop* is set; one out of reach is tried again."""
        chosen = settings.get().scheduler
        judge, interval = _Judge(get_backend()), self.interval_seconds or chosen.interval_seconds
        while not stop.is_set():
            judge.look(self.ahead or chosen.ahead, self.catchup or chosen.catchup)
            clock.wait(stop, interval)


class _Judge:
    """Looks after a backend. Where nobody could renew a lease for a while, none is judged before a lease's time.

    Who has just begun does not know whether anybody could.
    """

    def __init__(self, backend: "Backend") -> None:
        self._backend = backend
        self._lease = settings.get().agent.lease_seconds
        self._leap = clock.Leap(longest=self._lease / 2)
        self._lenient_until = clock.monotonic() + self._lease

    def look(self, ahead: int, catchup: settings.Catchup) -> None:
        """Make runs that are due, and end those that nobody holds any more."""
        lost = 0
        try:
            made = self._backend.schedule_due(clock.now(), ahead=ahead, catchup=catchup)
            if self._leap.happened():
                self._lenient_until = clock.monotonic() + self._lease
            if clock.monotonic() >= self._lenient_until:
                lost = self._backend.end_lost_runs()
        except errors.BackendUnreachableError as error:
            _log.warning("The backend is out of reach, and will be tried again: %s", error)
            self._lenient_until = clock.monotonic() + self._lease
            return
        if made or lost:
            _log.info("%d runs scheduled, %d lost runs ended", made, lost)
