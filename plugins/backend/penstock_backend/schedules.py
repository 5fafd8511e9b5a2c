"""Turning the schedules of registered flows into due runs.

Classes of schedules are plugins' code, so they are restored and asked outside of any transaction.
"""

import json
import logging
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, select

from penstock.schedules import ClockEvent, Schedule
from penstock.spec import FlowSpec
from penstock_backend import flows, runs
from penstock_backend.tables import AnyRow, flow_runs

_log: Final = logging.getLogger("penstock.backend")


class Timetable:
    """Asks schedules for their coming events; says once of each flow version why it cannot be scheduled."""

    def __init__(self) -> None:
        """Start with nothing said."""
        self._said: set[str] = set()

    def coming(self, rows: Iterable[AnyRow], now: datetime, ahead: int) -> dict[str, list["Due"]]:
        """Return what is due at the next *ahead* times after *now*, by the id of the flow version."""
        return {row.id: due for row in rows if (due := self._next(row, now, ahead))}

    def _next(self, row: AnyRow, now: datetime, ahead: int) -> list["Due"]:
        try:
            spec = FlowSpec.model_validate(row.spec)
            events = Schedule.restore(row.spec["schedule"]).events(ahead, after=now)
            for event in events:
                spec.check_parameters(event.parameter_defaults)
            return [Due(event) for event in events]
        except Exception as error:  # noqa: BLE001 - a plugin's own code, or its absence: the other flows go on
            if row.id not in self._said:
                self._said.add(row.id)
                _log.warning('The schedule of flow "%s" of project "%s" is left out: %s', row.name, row.project, error)
            return []


class Due:
    """An event of a schedule as the run that it asks for, and the two columns that make this run be there once."""

    def __init__(self, event: ClockEvent) -> None:
        """Take the event; raises ParameterError for parameters that cannot be kept."""
        labels = None if event.labels is None else sorted(set(event.labels))
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


def missing(connection: Connection, coming: dict[str, list[Due]]) -> list[tuple[AnyRow, Due]]:
    """Return the versions still to be scheduled with what is due and has no run yet."""
    found: list[tuple[AnyRow, Due]] = []
    for row in flows.scheduled(connection):
        wanted = coming.get(row.id, [])
        times = {due.columns["clock_time"] for due in wanted}
        made = select(flow_runs.c.clock_time, flow_runs.c.clock).where(
            flow_runs.c.flow_id == row.flow_id, flow_runs.c.clock_time.in_(times)
        )
        there = {(time, clock) for time, clock in connection.execute(made)} if times else set()
        found += [(row, due) for due in wanted if due.key not in there]
    return found


def make(connection: Connection, coming: dict[str, list[Due]]) -> int:
    """Create a run for all that has none, and return how many that were."""
    flows.lock(connection, {row.flow_id for row, _ in missing(connection, coming)})
    made = [runs.insert_run(connection, row, due.request, **due.columns) for row, due in missing(connection, coming)]
    return len([one for one in made if one is not None])
