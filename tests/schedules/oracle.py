"""When a cron expression is due, found by looking at every minute that passes: nothing here is shared with penstock."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
CRONS = (
    "30 2 * * *",
    "0 0 * * *",
    "15,45 1-3 * * *",
    "0 */3 * * *",
    "*/30 1-3 * * *",
    "*/20 0-4 * * *",
    "0 6 * * 1-5",
    "59 23 * * 0",
    "0 12 1 * *",
    "0 0 29 2 *",
    "0 2 * 3,4,9-11 0",
    "5 4 8-14 * 2",
)
"""Times of day that clocks skip and repeat, time that really passes, days of the month, of the week, and either."""
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
"""Three years with a 29th of February."""


class Cron(NamedTuple):
    """What an expression asks for, as numbers."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    follows_time: bool
    either_day: bool

    def asks_for(self, wall: datetime) -> bool:
        on_day, on_weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        right_day = (on_day or on_weekday) if self.either_day else (on_day and on_weekday)
        return wall.minute in self.minutes and wall.hour in self.hours and wall.month in self.months and right_day


def read(text: str) -> Cron:
    """Return the numbers of an expression of digits, `*`, `,`, `-` and `/`."""
    fields = text.split()
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    minutes, hours, days, months, weekdays = (
        _numbers(field, *ends) for field, ends in zip(fields, bounds, strict=True)
    )
    starred = [field.startswith("*") for field in fields]
    follows_time, either_day = starred[0] or starred[1], not (starred[2] or starred[4])
    return Cron(minutes, hours, days, months, weekdays, follows_time, either_day)


def _numbers(field: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return frozenset(found)


class Minute(NamedTuple):
    """A minute that passes and what the clock shows then: for the first time, or again; or a time that it skips.

    What is skipped has the time at which the clock is put forward, and as much later (`shifted`).
    """

    time: datetime
    wall: datetime
    how: str
    shifted: datetime


def minutes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[Minute]:
    """Yield every minute from *begin* to before *end*, and with the first after a gap those that it skips."""
    time, highest = begin, begin.astimezone(zone).replace(tzinfo=None, fold=0) - MINUTE
    while time < end:
        wall = time.astimezone(zone).replace(tzinfo=None, fold=0)
        if wall > highest:
            late = highest + MINUTE
            while late < wall:
                yield Minute(time, late, "skipped", time + (late - (highest + MINUTE)))
                late += MINUTE
            highest = wall
            yield Minute(time, wall, "shown", time)
        else:
            yield Minute(time, wall, "again", time)
        time += MINUTE


def due(
    crons: Sequence[Cron], zone: ZoneInfo, begin: datetime, end: datetime, gap: str = "after", fold: str = "first"
) -> list[list[datetime]]:
    """Return for each of *crons* when it is due from *begin* to before *end*; clocks may not change near either."""
    candidates: dict[tuple[int, int], list[int]] = {}
    for number, cron in enumerate(crons):
        for hour in cron.hours:
            for minute in cron.minutes:
                candidates.setdefault((hour, minute), []).append(number)
    found: list[dict[datetime, list[datetime]]] = [{} for _ in crons]  # by wall time: when it is shown
    for passing in minutes(zone, begin, end):
        for number in candidates.get((passing.wall.hour, passing.wall.minute), ()):
            if crons[number].asks_for(passing.wall):
                chosen = ("skip", "both") if crons[number].follows_time else (gap, fold)
                _note(found[number], passing, *chosen)
    return [sorted({time for shown in walls.values() for time in shown if time < end}) for walls in found]


def _note(found: dict[datetime, list[datetime]], minute: Minute, gap: str, fold: str) -> None:
    if minute.how == "skipped":
        found[minute.wall] = {"skip": [], "after": [minute.time], "shift": [minute.shifted]}[gap]
    elif minute.how == "shown" or fold == "second":
        found[minute.wall] = [minute.time]
    elif fold == "both":
        found[minute.wall].append(minute.time)


def changes(zone: ZoneInfo, begin: datetime = BEGIN, end: datetime = END) -> list[datetime]:
    """Return the beginnings of the days (UTC) in which clocks of *zone* are changed."""
    day, found = timedelta(days=1), []
    while begin < end:
        if begin.astimezone(zone).utcoffset() != (begin + day).astimezone(zone).utcoffset():
            found.append(begin)
        begin += day
    return found
