"""From what a clock on the wall shows to the instants at which it shows it, over the days when clocks are changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from heapq import heappop, heappush
from typing import Literal, NamedTuple, TypeAlias

Gap: TypeAlias = Literal["after", "shift", "skip"]
"""What becomes of a time of day that clocks skip: due as soon as they are put forward, as much later, or not at all."""
Fold: TypeAlias = Literal["first", "second", "both"]
"""Which showing of a time of day that clocks repeat is due."""


class Time(NamedTuple):
    """An instant (UTC), and what the clock on the wall was asked to show at it."""

    instant: datetime
    asked: datetime


def instants(wall: datetime, zone: tzinfo) -> list[datetime]:
    """Return the instants (UTC) at which clocks of *zone* show *wall*: one, two in a fold, none in a gap."""
    both = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(one for one in both if one.astimezone(zone).replace(tzinfo=None) == wall)


def instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return the one instant (UTC) that *wall* stands for: in a fold the first, in a gap the first after it."""
    shown = instants(wall, zone)
    return shown[0] if shown else _end_of_gap(wall, zone)


def times(walls: Iterator[datetime], zone: tzinfo, gap: Gap, fold: Fold) -> Iterator[Time]:
    """Yield what ascending *walls* stand for, ascending; several walls of a gap may stand for one instant."""
    waiting: list[Time] = []  # second showings, and what was shifted past the end of a gap
    for wall in walls:
        shown = instants(wall, zone)
        earliest = shown[0] if shown else _end_of_gap(wall, zone)  # nothing that follows is before it
        while waiting and waiting[0].instant < earliest:
            yield heappop(waiting)
        chosen = _of_fold(shown, fold) if shown else _of_gap(wall, zone, earliest, gap)
        if not waiting and chosen == [earliest]:
            yield Time(earliest, wall)
            continue
        for one in chosen:
            heappush(waiting, Time(one, wall))
    yield from sorted(waiting)


def _of_fold(shown: list[datetime], fold: Fold) -> list[datetime]:
    return shown if fold == "both" else [shown[-1 if fold == "second" else 0]]


def _of_gap(wall: datetime, zone: tzinfo, end: datetime, gap: Gap) -> list[datetime]:
    if gap == "shift":  # by the offset that held before, as RFC 5545 reads such a time
        return [wall.replace(tzinfo=zone, fold=0).astimezone(UTC)]
    return [end] if gap == "after" else []


def _end_of_gap(wall: datetime, zone: tzinfo) -> datetime:
    """Return the instant at which the clock was put forward over *wall*, to the second."""
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
