"""The scheduler that runs flows in this process."""

import logging
import threading
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import PrivateAttr

from penstock import clock, due_runs, errors
from penstock.schedulers import Scheduler

if TYPE_CHECKING:
    from penstock import Flow
    from penstock.schedules import ClockEvent

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
        first = due_runs.next_event(flow, clock.now())
        flow.serialize().check_parameters(first.parameter_defaults if first else {})
        self._flows.append(flow)

    def run(self, stop: threading.Event) -> None:
        """Run flows when they are due, until *stop* is set or no flow is due any more; then let runs end."""
        with clock.current().participate():
            self._run_due(stop)
        for thread in self._running.values():
            thread.join()

    def _run_due(self, stop: threading.Event) -> None:
        due = {flow: due_runs.next_event(flow, clock.now()) for flow in self._flows}
        while any(due.values()) and not stop.is_set():
            if due_runs.wait_until(min(event.start_time for event in due.values() if event), stop):
                break
            now = clock.now()
            for flow, event in due.items():
                if event is not None and event.start_time <= now:
                    due[flow] = due_runs.next_event(flow, now)
                    self._start(flow, event)

    def _start(self, flow: "Flow", event: "ClockEvent") -> None:
        earlier, time = self._running.get(flow), event.start_time
        if earlier is not None and earlier.is_alive():
            _log.warning('Flow "%s", due at %s, still runs from an earlier time; this one is left out', flow.name, time)
            return
        thread = threading.Thread(target=due_runs.run_due, args=(flow, event), name=f"penstock-run-{flow.name}")
        self._running[flow] = thread
        clock.current().start(thread)
