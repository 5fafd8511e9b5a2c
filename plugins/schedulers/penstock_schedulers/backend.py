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
        backend = get_backend()
        while not stop.is_set():
            _look_after(backend, self.ahead or chosen.ahead, self.catchup or chosen.catchup)
            clock.wait(stop, self.interval_seconds or chosen.interval_seconds)


def _look_after(backend: "Backend", ahead: int, catchup: settings.Catchup) -> None:
    try:
        made = backend.schedule_due(clock.now(), ahead=ahead, catchup=catchup)
        lost = backend.end_lost_runs(clock.now())
    except errors.BackendUnreachableError as error:
        _log.warning("The backend is out of reach, and will be tried again: %s", error)
        return
    if made or lost:
        _log.info("%d runs scheduled, %d lost runs ended", made, lost)
