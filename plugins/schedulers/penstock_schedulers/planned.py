"""What this plugin's schedules have in common: one stream of events, from which times and events are told."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Any, Literal, NamedTuple, TypeAlias, overload

from penstock import clock, errors
from penstock.schedules import ClockEvent, Schedule
from penstock_schedulers.jitter import spread
from penstock_schedulers.local_times import instants

_PAGE = 100


class Mark(NamedTuple):
    """What is notable about the time of an event: `skipped`, `repeated`, `adjusted` or `jitter`, and a few words."""

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Planned:
    """An event, and how its time came about.

    `asked` is what the clock on the wall was to show, without a zone. `moment` is the time that became of it, in the
    zone of the clock: another where that was skipped or adjusted. Filters look at it. Jitter, which is less than
    `most_jitter` and drawn by `seed`, comes on top at last.
    """

    event: ClockEvent
    moment: datetime
    asked: datetime
    most_jitter: timedelta = timedelta(0)
    seed: str = ""

    @property
    def jitter(self) -> timedelta:
        """How much later than its moment the event is due."""
        return self.event.start_time - self.moment.astimezone(UTC)

    def marks(self) -> list[Mark]:
        """Return what there is to say of the time, mostly nothing."""
        zone, wall = self.moment.tzinfo or UTC, self.moment.replace(tzinfo=None, fold=0)
        found = []
        if not instants(self.asked, zone):
            found.append(Mark("skipped", f"{self.asked:%H:%M} is skipped, clocks go forward"))
        elif wall != self.asked:
            found.append(Mark("adjusted", f"moved from {self.asked:%a %Y-%m-%d %H:%M}"))
        if len(instants(wall, zone)) > 1:
            which = "second" if self.moment.fold else "first"
            found.append(Mark("repeated", f"the {which} of two, clocks go back"))
        if self.jitter:
            found.append(Mark("jitter", f"{self.jitter.total_seconds():g} s of jitter after {self.moment:%H:%M:%S}"))
        return found


Coming: TypeAlias = Iterator[Planned]
"""Events in the order of their times, which are in UTC."""


class PlannedSchedule(Schedule, ABC):
    """A schedule that yields its events one after another."""

    @abstractmethod
    def coming(self, after: datetime) -> Coming:
        """Yield the events strictly after *after* (UTC), before jitter; equal ones once."""

    @property
    @abstractmethod
    def most_jitter(self) -> timedelta:
        """By how much later than its clock says an event may be due: less than this."""

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
            return [planned.event for planned in islice(self._after(after), max(n, 0))]
        return [time for time, _ in islice(self._by_time(after), max(n, 0))]

    def events(self, n: int, after: datetime | None = None) -> list[ClockEvent]:
        """Return all events at the next *n* times: more than *n* where several are due at once."""
        return [planned.event for planned in self.planned(n, after)]

    def planned(self, n: int, after: datetime | None = None) -> list[Planned]:
        """Return all events at the next *n* times, each with how its time came about."""
        return [planned for _, together in islice(self._by_time(after), max(n, 0)) for planned in together]

    def _by_time(self, after: datetime | None) -> Iterator[tuple[datetime, Iterator[Planned]]]:
        return groupby(self._after(after), key=lambda planned: planned.event.start_time)

    def _after(self, after: datetime | None) -> Coming:
        moment = clock.now() if after is None else after
        if moment.tzinfo is None:
            raise errors.ScheduleError(f"A schedule was asked for times after {moment}, which has no time zone")
        moment, most = moment.astimezone(UTC), self.most_jitter
        if not most:
            return self.coming(moment)
        return (planned for planned in spread(self.coming(moment - most)) if planned.event.start_time > moment)


def coming(schedule: Schedule, after: datetime) -> Coming:
    """Yield the events of any *schedule*; another plugin's is asked for a page at a time, and shows UTC."""
    if isinstance(schedule, PlannedSchedule):
        yield from schedule.coming(after)
        return
    while page := schedule.events(_PAGE, after):
        yield from (Planned(one, one.start_time, one.start_time.replace(tzinfo=None)) for one in page)
        after = page[-1].start_time
