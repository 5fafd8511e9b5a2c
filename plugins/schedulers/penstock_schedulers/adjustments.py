"""Changes to the times of a schedule, after its filters: `Schedule(clocks, adjustments=[next_weekday])`.

An adjustment is given a time in the zone of its clock, and returns one with a zone. One of your own moves a time by at
most a week, unless it is a `Rule` that says otherwise. Those of other plugins are found here under their names.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from penstock import errors
from penstock_schedulers import holidays, rules
from penstock_schedulers.holidays import Place
from penstock_schedulers.local_times import instant
from penstock_schedulers.rules import Moves, Rule

__all__ = ["add", "next_weekday", "next_workday"]

_SATURDAY: Final = 5
_DAYS_OF_WEEK: Final = 7
_LONGEST_HOLIDAY: Final = timedelta(days=14)


@Rule
def add(moment: datetime, interval: timedelta) -> datetime:
    """Later by *interval*, as time really passes."""
    return (moment.astimezone(UTC) + interval).astimezone(moment.tzinfo)


def _by_the_interval(interval: timedelta) -> Moves:
    return interval, interval


add.moves = _by_the_interval


def next_weekday(moment: datetime) -> datetime:
    """On a weekend, the same time of day on Monday."""
    return moment if moment.weekday() < _SATURDAY else _days_later(moment, _DAYS_OF_WEEK - moment.weekday())


@Rule
def next_workday(moment: datetime, place: Place) -> datetime:
    """On a weekend or a public holiday of *place* (`DE`, `DE-BY`, `NYSE`), the same time of day on the next other day.

    Needs the library `holidays`. Raises ScheduleError if there is none for two weeks.
    """
    for days in range(_LONGEST_HOLIDAY.days):
        if holidays.works(moment.date() + timedelta(days=days), place):
            return _days_later(moment, days) if days else moment
    message = f"Nobody works in {place} for two weeks from {moment:%Y-%m-%d}, so that there is no next workday"
    raise errors.ScheduleError(message)


def _over_holidays(place: str) -> Moves:  # noqa: ARG001 - the arguments of the adjustment
    return timedelta(0), _LONGEST_HOLIDAY


next_workday.moves = _over_holidays


def _days_later(moment: datetime, days: int) -> datetime:
    wall = moment.replace(tzinfo=None, fold=0) + timedelta(days=days)
    return wall if moment.tzinfo is None else instant(wall, moment.tzinfo).astimezone(moment.tzinfo)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]:
        return rules.attribute(__name__, "adjustment", name)
