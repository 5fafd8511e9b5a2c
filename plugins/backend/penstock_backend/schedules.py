"""Turning the schedules of registered flows into due runs.

Classes of schedules are plugins' code, so they are restored and asked outside of any transaction.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from penstock.schedules import ClockEvent, Schedule
from penstock.settings import Catchup
from penstock.spec import FlowSpec
from penstock_backend import flows, runs
from penstock_backend.tables import AnyRow, flow_runs

_log: Final = logging.getLogger("penstock.backend")
_PAGE: Final = 100
_AT_ONCE: Final = 1000
"""So many missed times of a schedule are caught up with at one look; then the next look goes on."""
_LOOKED_BACK: Final = timedelta(seconds=1)


class Timetable:
    """Asks schedules for their events, and again when a time has come; says once why one cannot be asked."""

    def __init__(self) -> None:
        """Start with nothing known or said."""
        self._known: dict[str, _Answer] = {}
        self._said: set[str] = set()

    def wanted(self, rows: Iterable[AnyRow], now: datetime, ahead: int, catchup: Catchup) -> dict[str, list["Due"]]:
        """Return what is due at the next *ahead* times after *now*, and was missed before, by the id of the version."""
        known = {row.id: self._answer(row, now, ahead, catchup) for row in rows}
        self._known = known
        return {version: answer.due for version, answer in known.items() if answer.due}

    def _answer(self, row: AnyRow, now: datetime, ahead: int, catchup: Catchup) -> "_Answer":
        """Return the answer that was given before as long as it holds: until the next time."""
        before, question = self._known.get(row.id), _Question(ahead, catchup, flows.group(row))
        if before is not None and before.question == question and before.asked <= now < before.until:
            return before
        try:
            due = _wanted(row, now, ahead, catchup)
        except Exception as error:  # noqa: BLE001 - a plugin's own code, or its absence: the other flows go on
            if row.id not in self._said:
                self._said.add(row.id)
                _log.warning('The schedule of flow "%s" of project "%s" is left out: %s', row.name, row.project, error)
            return _Answer(question, now, now, [])
        coming = (one.key[0] for one in due if not one.missed)
        until = next(coming, now if due else datetime.max.replace(tzinfo=UTC))
        return _Answer(question, now, until, due)


class _Question(NamedTuple):
    """What the events of a schedule depend on, beside the version of its flow."""

    ahead: int
    catchup: Catchup
    group: dict[str, Any]


class _Answer(NamedTuple):
    """What a schedule is due, as it was asked, when, and until when it would say the same."""

    question: _Question
    asked: datetime
    until: datetime
    due: list["Due"]


def _wanted(row: AnyRow, now: datetime, ahead: int, catchup: Catchup) -> list["Due"]:
    spec = FlowSpec.model_validate(row.spec)
    schedule = Schedule.restore(flows.schedule_of(row) or {})
    events = missed(schedule, flows.settled(row), now, catchup)
    if len(events) < _AT_ONCE:  # a run that is to come would settle all before it
        events += schedule.events(ahead, after=now)
    for event in events:
        spec.check_parameters({**flows.parameters_of(row), **event.parameter_defaults})
    return [Due(event, missed=event.start_time <= now) for event in events]


def missed(schedule: Schedule, since: datetime, now: datetime, catchup: Catchup) -> list[ClockEvent]:
    """Return the events after *since* and not after *now* that are to become runs."""
    if catchup == "none" or since >= now or not _any(schedule, since, now):
        return []
    if catchup == "all":
        return _at_most(_AT_ONCE, _passed(schedule, since, now))
    reach = _LOOKED_BACK
    while now - reach > since and not _any(schedule, now - reach, now):
        reach *= 2  # so that what comes often is not gone through from the beginning
    events = list(_passed(schedule, max(since, now - reach), now))
    return [event for event in events if event.start_time == events[-1].start_time]


def _any(schedule: Schedule, since: datetime, now: datetime) -> bool:
    return any(event.start_time <= now for event in schedule.events(1, since))


def _passed(schedule: Schedule, since: datetime, now: datetime) -> Iterator[ClockEvent]:
    """Yield the events after *since* and not after *now*."""
    while page := schedule.events(_PAGE, since):
        yield from takewhile(lambda event: event.start_time <= now, page)
        since = page[-1].start_time
        if since > now:
            return


def _at_most(number: int, events: Iterator[ClockEvent]) -> list[ClockEvent]:
    """Return *number* events and those that are due together with the last of them."""
    found: list[ClockEvent] = []
    for event in events:
        if len(found) >= number and event.start_time != found[-1].start_time:
            break
        found.append(event)
    return found


class Due:
    """An event of a schedule as the run that it asks for, and the two columns that make this run be there once."""

    def __init__(self, event: ClockEvent, *, missed: bool = False) -> None:
        """Take the event; raises ParameterError for parameters that cannot be kept."""
        labels = None if event.labels is None else sorted(set(event.labels))
        self.missed: bool = missed
        self.request = runs.Request(dict(event.parameter_defaults), labels, scheduled_time=event.start_time)
        self.request.check()
        given = json.dumps([self.request.parameters, labels], sort_keys=True)
        plain = not event.parameter_defaults and labels is None
        self.columns: dict[str, Any] = {
            "clock_time": event.start_time,
            "clock": "" if plain else sha256(given.encode()).hexdigest(),
        }

    @property
    def key(self) -> tuple[datetime, str]:
        """What distinguishes this from all else that the flow's schedule asks for."""
        return self.columns["clock_time"], self.columns["clock"]


def missing(connection: Connection, wanted: dict[str, list[Due]]) -> list[tuple[AnyRow, Due]]:
    """Return the versions still to be scheduled with what is due and has no run yet.

    What was missed is left out if another scheduler has gone beyond it: that one has caught up.
    """
    found: list[tuple[AnyRow, Due]] = []
    for row in flows.scheduled(connection):
        settled = flows.settled(row)
        still = [due for due in wanted.get(row.id, []) if not due.missed or due.columns["clock_time"] > settled]
        times = {due.columns["clock_time"] for due in still}
        made = select(flow_runs.c.clock_time, flow_runs.c.clock).where(
            flow_runs.c.flow_id == row.flow_id, flow_runs.c.clock_time.in_(times)
        )
        there = {(time, clock) for time, clock in connection.execute(made)} if times else set()
        still = [due for due in still if due.key not in there]
        asked = _asked(connection, row, {due.columns["clock_time"] for due in still if due.missed})
        found += [(row, due) for due in still if not due.missed or due.request.digest() not in asked]
    return found


def _asked(connection: Connection, row: AnyRow, times: set[datetime]) -> set[str | None]:
    """Return the digests of what somebody asked for at *times*: a backfill asks for what the schedule does."""
    asked = select(flow_runs.c.request_digest).where(
        flow_runs.c.flow_id == row.flow_id, flow_runs.c.clock_time.is_(None), flow_runs.c.scheduled_time.in_(times)
    )
    return set(connection.execute(asked).scalars()) if times else set()


def make(connection: Connection, wanted: dict[str, list[Due]]) -> int:
    """Create a run for all that has none, and return how many that were."""
    flows.lock(connection, {row.flow_id for row, _ in missing(connection, wanted)})
    made = [runs.insert_run(connection, row, due.request, **due.columns) for row, due in missing(connection, wanted)]
    return len([one for one in made if one is not None])
