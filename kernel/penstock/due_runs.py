"""Running flows here when their schedules say so: what `flow.run(run_on_schedule=True)` and schedulers share."""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from penstock import clock, errors, settings
from penstock.engine.failures import unreadable
from penstock.running import check_parameters

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock.schedules import ClockEvent
    from penstock.states import State

_log: Final = logging.getLogger("penstock.scheduler")


def next_event(flow: "Flow", after: datetime) -> "ClockEvent | None":
    """Return when *flow* is due next after *after*, or None if it has no schedule or that has ended."""
    events = flow.schedule.events(1, after) if flow.schedule is not None else []
    return events[0] if events else None


def wait_until(time: datetime, stop: threading.Event | None = None) -> bool:
    """Wait for *time*, in steps, since the clock may be set or the machine sleep; return whether *stop* was set."""
    longest = settings.get().scheduler.interval_seconds
    while not (stop and stop.is_set()) and (remaining := (time - clock.now()).total_seconds()) > 0:
        seconds = min(remaining, longest)
        if stop is not None:
            clock.wait(stop, seconds)
        else:
            clock.sleep(seconds)
    return stop is not None and stop.is_set()


def run_due(flow: "Flow", event: "ClockEvent", parameters: Mapping[str, Any] | None = None, **options: Any) -> "State":
    """Run *flow* for *event*, whose parameters go over *parameters*; *options* are those of `flow.run`.

    What keeps a run from being driven, such as an executor that fails, is logged and becomes its Failed state: the
    next time is tried all the same.
    """
    context = {**(options.pop("context", None) or {}), "scheduled_start_time": event.start_time}
    given = {**(parameters or {}), **event.parameter_defaults}
    try:
        return flow.run(given, run_on_schedule=False, context=context, **options)
    except Exception as error:  # noqa: BLE001 - whatever fails this time may work the next
        message = f'Flow "{flow.name}", due at {event.start_time},'
        _log.exception("%s could not be run", message)
        return unreadable(message, error)


def run_on_schedule(flow: "Flow", parameters: Mapping[str, Any], **options: Any) -> "State":
    """Run *flow* at each of its times until none is left, and return the state of the last run.

    Times that pass while it runs are left out. Raises ScheduleError if there is none to begin with, and at once
    ParameterError for parameters that do not fit.
    """
    event = next_event(flow, clock.now())
    if event is None:
        message = f'Flow "{flow.name}" is not due any more: its schedule has ended. Run it once: flow.run()'
        raise errors.ScheduleError(message)
    check_parameters(flow, {**parameters, **event.parameter_defaults})
    while True:
        _log.info('Flow "%s" waits until it is due at %s', flow.name, event.start_time)
        wait_until(event.start_time)
        state = run_due(flow, event, parameters, **options)
        event = next_event(flow, max(clock.now(), event.start_time))
        if event is None:
            return state
