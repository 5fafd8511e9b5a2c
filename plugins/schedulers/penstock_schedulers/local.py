"""The scheduler that runs flows in this process."""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import PrivateAttr

from penstock import clock, errors, settings
from penstock.running import check_parameters
from penstock.schedulers import Scheduler
from penstock.states import Failed, State

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
        for event in _next_events(flow, clock.now()):
            check_parameters(flow, event.parameter_defaults)
        self._flows.append(flow)

    def run(self, stop: threading.Event) -> None:
        """Run flows when they are due, until *stop* is set or no flow is due any more; then let runs end."""
        with clock.current().participate():
            self._run_due(stop)
        for thread in self._running.values():
            thread.join()

    def _run_due(self, stop: threading.Event) -> None:
        due = {flow: _next_events(flow, clock.now()) for flow in self._flows}
        while any(due.values()) and not stop.is_set():
            if _wait_until(min(events[0].start_time for events in due.values() if events), stop):
                break
            now = clock.now()
            for flow, events in due.items():
                if events and events[0].start_time <= now:
                    due[flow] = _next_events(flow, now)
                    self._start(flow, events)

    def run_flow(self, flow: "Flow", parameters: Mapping[str, Any], **options: Any) -> State:
        """Run *flow* at each of its times until none is left, and return the state of the last run.

        Times that pass while it runs are left out. *options* are those of `flow.run`. Raises ScheduleError if there is
        no time to begin with, and at once ParameterError for parameters that do not fit.
        """
        events = _next_events(flow, clock.now())
        if not events:
            message = f'Flow "{flow.name}" is not due any more: its schedule has ended. Run it once: flow.run()'
            raise errors.ScheduleError(message)
        for event in events:
            check_parameters(flow, {**parameters, **event.parameter_defaults})
        while True:
            time = events[0].start_time
            _log.info('Flow "%s" waits until it is due at %s', flow.name, time)
            _wait_until(time, threading.Event())
            state = _run_all(flow, events, parameters, **options)
            events = _next_events(flow, max(clock.now(), time))
            if not events:
                return state

    def _start(self, flow: "Flow", events: "list[ClockEvent]") -> None:
        earlier, time = self._running.get(flow), events[0].start_time
        if earlier is not None and earlier.is_alive():
            _log.warning('Flow "%s", due at %s, still runs from an earlier time; this one is left out', flow.name, time)
            return
        thread = threading.Thread(target=_run_all, args=(flow, events), name=f"penstock-run-{flow.name}")
        self._running[flow] = thread
        clock.current().start(thread)


def _next_events(flow: "Flow", after: datetime) -> "list[ClockEvent]":
    """Return what is due at the next time after *after*: one event, unless clocks with other parameters meet."""
    return flow.schedule.events(1, after) if flow.schedule is not None else []


def _wait_until(time: datetime, stop: threading.Event) -> bool:
    """Wait for *time*, in steps, since the clock may be set or the machine sleep; return whether *stop* was set."""
    longest = settings.get().scheduler.interval_seconds
    while not stop.is_set() and (remaining := (time - clock.now()).total_seconds()) > 0:
        clock.wait(stop, min(remaining, longest))
    return stop.is_set()


def _run_all(
    flow: "Flow", events: "list[ClockEvent]", parameters: Mapping[str, Any] | None = None, **options: Any
) -> State:
    """Run *flow* for each of *events*, which are due at one time, one after another; return the last state."""
    return [_run_due(flow, event, parameters, **options) for event in events][-1]


def _run_due(flow: "Flow", event: "ClockEvent", parameters: Mapping[str, Any] | None, **options: Any) -> State:
    """Run *flow* for *event*, whose parameters go over *parameters*.

    What keeps a run from being driven, such as an executor that fails, is logged and becomes its Failed state: the
    next time is tried all the same.
    """
    context = {**(options.pop("context", None) or {}), "scheduled_start_time": event.start_time}
    given = {**(parameters or {}), **event.parameter_defaults}
    try:
        return flow.run(given, run_on_schedule=False, context=context, **options)
    except Exception as error:  # noqa: BLE001 - whatever fails this time may work the next
        message = f'Flow "{flow.name}", due at {event.start_time}, could not be run'
        _log.exception(message)
        return Failed(f"{message}: {type(error).__name__}: {error}", error)
