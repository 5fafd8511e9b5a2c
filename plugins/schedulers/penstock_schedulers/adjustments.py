"""Changes to the times of a schedule, after its filters: `Schedule(clocks, adjustments=[next_weekday])`.

An adjustment is given a time in the zone of its clock, and returns one with a zone. One of your own moves a time by at
most a week, unless it is a `Rule` that says otherwise. Those of other plugins are found here under their names.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from penstock_schedulers import rules
from penstock_schedulers.local_times import instant
from penstock_schedulers.rules import Moves, Rule

__all__ = ["add", "next_weekday"]

_SATURDAY: Final = 5
_DAYS_OF_WEEK: Final = 7


@Rule
def add(moment: datetime, interval: timedelta) -> datetime:
    """Later by *interval*, as time really passes."""
    return (moment.astimezone(UTC) + interval).astimezone(moment.tzinfo)


def _by_the_interval(interval: timedelta) -> Moves:
    return interval, interval


add.moves = _by_the_interval


def next_weekday(moment: datetime) -> datetime:
    """On a weekend, the same time of day on Monday."""
    if moment.weekday() < _SATURDAY:
        return moment
    wall = moment.replace(tzinfo=None, fold=0) + timedelta(days=_DAYS_OF_WEEK - moment.weekday())
    return wall if moment.tzinfo is None else instant(wall, moment.tzinfo).astimezone(moment.tzinfo)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]:
        return rules.attribute(__name__, "adjustment", name)
