"""Turning the schedules of registered flows into due runs.

Classes of schedules are plugins' code, so they are restored and asked outside of any transaction.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from penstock.schedules import Schedule
from penstock.spec import FlowSpec
from penstock_backend import flows, runs
from penstock_backend.tables import AnyRow, flow_runs

_log: Final = logging.getLogger("penstock.backend")


class Timetable:
    """Asks schedules for their coming times; says once of each flow version why it cannot be scheduled."""

    def __init__(self) -> None:
        """Start with nothing said."""
        self._said: set[str] = set()

    def coming(self, rows: Iterable[AnyRow], now: datetime, ahead: int) -> dict[str, list[datetime]]:
        """Return the next *ahead* times after *now*, by the id of the flow version."""
        return {row.id: times for row in rows if (times := self._next(row, now, ahead))}

    def _next(self, row: AnyRow, now: datetime, ahead: int) -> list[datetime]:
        try:
            FlowSpec.model_validate(row.spec).check_parameters({})
            return Schedule.restore(row.spec["schedule"]).next(ahead, after=now)
        except Exception as error:  # noqa: BLE001 - a plugin's own code, or its absence: the other flows go on
            if row.id not in self._said:
                self._said.add(row.id)
                _log.warning('The schedule of flow "%s" of project "%s" is left out: %s', row.name, row.project, error)
            return []


def missing(connection: Connection, coming: dict[str, list[datetime]]) -> list[tuple[AnyRow, datetime]]:
    """Return the versions still to be scheduled with the times that have no run yet."""
    found: list[tuple[AnyRow, datetime]] = []
    for row in flows.scheduled(connection):
        times = coming.get(row.id, [])
        made = select(flow_runs.c.clock_time).where(
            flow_runs.c.flow_id == row.flow_id, flow_runs.c.clock_time.in_(times)
        )
        there = set(connection.execute(made).scalars()) if times else set()
        found += [(row, time) for time in times if time not in there]
    return found


def make(connection: Connection, coming: dict[str, list[datetime]]) -> int:
    """Create a run for every time that has none, and return how many that were."""
    wanted = missing(connection, coming)
    for row, time in wanted:
        runs.insert_run(connection, row, runs.Request({}, scheduled_time=time), clock_time=time)
    return len(wanted)
