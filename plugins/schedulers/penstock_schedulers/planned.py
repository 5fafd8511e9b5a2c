"""What this plugin's schedules have in common: one stream of events, from which times and events are told."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, Literal, TypeAlias, overload

from penstock import clock, errors
from penstock.schedules import ClockEvent, Schedule

Coming: TypeAlias = Iterator[tuple[ClockEvent, tzinfo]]
"""Events in the order of their times, which are in UTC, each with the zone whose clocks filters look at."""
_PAGE = 100


class PlannedSchedule(Schedule, ABC):
    """A schedule that yields its events one after another."""

    @abstractmethod
    def coming(self, after: datetime) -> Coming:
        """Yield the events strictly after *after* (UTC); equal ones once."""

    @overload
    def next(self, n: int, after: datetime | None = None, return_events: Literal[False] = ...) -> list[datetime]: ...

    @overload
    def next(self, n: int, after: datetime | None, return_events: Literal[True]) -> list[ClockEvent]: ...

    @overload
    def next(self, n: int, after: datetime | None = None, *, return_events: Literal[True]) -> list[ClockEvent]: ...

    def next(self, n: int, after: datetime | None = None, return_events: bool = False) -> Any:  # noqa: FBT002 - classic
        """Return the next *n* times strictly after *after* (now if not given), in UTC; or the next *n* events.

        Times are told once each, and fewer if the schedule ends. Raises ScheduleError if *after* has no time zone.
        """
        if return_events:
            return list(islice(self._in_utc(after), max(n, 0)))
        times = groupby(self._in_utc(after), key=attrgetter("start_time"))
        return [time for time, _ in islice(times, max(n, 0))]

    def events(self, n: int, after: datetime | None = None) -> list[ClockEvent]:
        """Return all events at the next *n* times: more than *n* where several are due at once."""
        times = groupby(self._in_utc(after), key=attrgetter("start_time"))
        return [event for _, events in islice(times, max(n, 0)) for event in events]

    def _in_utc(self, after: datetime | None) -> Iterator[ClockEvent]:
        moment = clock.now() if after is None else after
        if moment.tzinfo is None:
            raise errors.ScheduleError(f"A schedule was asked for times after {moment}, which has no time zone")
        return (event for event, _ in self.coming(moment.astimezone(UTC)))


def coming(schedule: Schedule, after: datetime) -> Coming:
    """Yield the events of any *schedule*; another plugin's is asked for a page at a time, and shows UTC."""
    if isinstance(schedule, PlannedSchedule):
        yield from schedule.coming(after)
        return
    while page := schedule.events(_PAGE, after):
        yield from ((event, UTC) for event in page)
        after = page[-1].start_time
