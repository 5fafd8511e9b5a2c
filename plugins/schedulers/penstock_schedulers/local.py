"""The scheduler that runs flows in this process."""

import logging
import threading
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import PrivateAttr

from penstock import clock, errors, settings
from penstock.schedulers import Scheduler

if TYPE_CHECKING:
    from penstock import Flow

_log: Final = logging.getLogger("penstock.scheduler")


class LocalScheduler(Scheduler):
    """Runs the flows it was given when they are due, each on a thread of its own.

    A flow does not overlap itself: a time that comes while it still runs is left out, and said so.
    """

    type: ClassVar[str] = "local"

    _flows: "list[Flow]" = PrivateAttr(default_factory=list)
    _running: "dict[Flow, threading.Thread]" = PrivateAttr(default_factory=dict)

    def add_flow(self, flow: "Flow") -> None:
        """Take up *flow*; raises ScheduleError if it has no schedule, ParameterError if it needs values to run."""
        if flow.schedule is None:
            raise errors.ScheduleError(f'Flow "{flow.name}" has no schedule; give it one: Flow(..., schedule=...)')
        flow.serialize().check_parameters({})
        self._flows.append(flow)

    def run(self, stop: threading.Event) -> None:
        """Run flows when they are due, until *stop* is set or no flow is due any more; then let runs end."""
        due = {flow: _next(flow, clock.now()) for flow in self._flows}
        while any(due.values()) and not stop.is_set():
            if self._wait(stop, min(time for time in due.values() if time)):
                break
            now = clock.now()
            for flow, time in due.items():
                if time is not None and time <= now:
                    due[flow] = _next(flow, now)
                    self._start(flow, time)
        for thread in self._running.values():
            thread.join()

    def _wait(self, stop: threading.Event, time: datetime) -> bool:
        """Wait for *time*, in steps, since the clock may be set or the machine sleep; return whether to stop."""
        longest = settings.get().scheduler.interval_seconds
        while not stop.is_set() and (remaining := (time - clock.now()).total_seconds()) > 0:
            clock.wait(stop, min(remaining, longest))
        return stop.is_set()

    def _start(self, flow: "Flow", time: datetime) -> None:
        earlier = self._running.get(flow)
        if earlier is not None and earlier.is_alive():
            _log.warning('Flow "%s", due at %s, still runs from an earlier time; this one is left out', flow.name, time)
            return
        thread = threading.Thread(target=_run, args=(flow, time), name=f"penstock-run-{flow.name}")
        self._running[flow] = thread
        thread.start()


def _next(flow: "Flow", after: datetime) -> datetime | None:
    times = flow.schedule.next(1, after) if flow.schedule is not None else []
    return times[0] if times else None


def _run(flow: "Flow", time: datetime) -> None:
    try:
        flow.run(context={"scheduled_start_time": time})
    except Exception:  # noqa: BLE001 - an executor or an observer that fails: the next time is tried all the same
        _log.exception('Flow "%s", due at %s, could not be run', flow.name, time)
