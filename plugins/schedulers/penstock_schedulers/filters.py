"""Conditions on the times of a schedule: `Schedule(clocks, filters=[is_weekday, between_times(time(9), time(17))])`.

A condition looks at what the clock of a time shows, in the clock's zone. A moment without a zone means the same.
Those of other plugins are found here under their names.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from penstock_schedulers import holidays, rules
from penstock_schedulers.holidays import Place
from penstock_schedulers.rules import Rule

__all__ = [
    "at_time", "between_dates", "between_datetimes", "between_times", "is_day_of_week", "is_holiday", "is_month_end",
    "is_month_start", "is_weekday", "is_weekend", "is_workday", "on_date", "on_datetime",
]  # fmt: skip

_SATURDAY: Final = 5
Month = Annotated[int, Field(ge=1, le=12)]
Day = Annotated[int, Field(ge=1, le=31)]
DayOfWeek = Annotated[int, Field(ge=0, le=6)]


@Rule
def on_datetime(moment: datetime, dt: datetime) -> bool:
    """At the moment *dt*."""
    return _as_shown(moment, dt) == dt


@Rule
def between_datetimes(moment: datetime, start: datetime, end: datetime) -> bool:
    """From *start* to *end*, both included."""
    return _as_shown(moment, start) >= start and _as_shown(moment, end) <= end


@Rule
def on_date(moment: datetime, month: Month, day: Day) -> bool:
    """On one day of every year."""
    return (moment.month, moment.day) == (month, day)


@Rule
def between_dates(moment: datetime, start_month: Month, start_day: Day, end_month: Month, end_day: Day) -> bool:
    """On the days of every year from one to another, both included; over the new year if the first is the later."""
    return _between((start_month, start_day), (moment.month, moment.day), (end_month, end_day))


@Rule
def at_time(moment: datetime, t: time) -> bool:
    """At one time of day."""
    return moment.time() == t


@Rule
def between_times(moment: datetime, start: time, end: time) -> bool:
    """From one time of day to another, both included; over midnight if the first is the later."""
    return _between(start, moment.time(), end)


@Rule
def is_day_of_week(moment: datetime, day_of_week: DayOfWeek) -> bool:
    """On one day of every week: 0 is Monday, 6 is Sunday."""
    return moment.weekday() == day_of_week


def is_weekday(moment: datetime) -> bool:
    """From Monday to Friday."""
    return moment.weekday() < _SATURDAY


def is_weekend(moment: datetime) -> bool:
    """On Saturday and Sunday."""
    return not is_weekday(moment)


def is_month_start(moment: datetime) -> bool:
    """On the first day of every month."""
    return moment.day == 1


def is_month_end(moment: datetime) -> bool:
    """On the last day of every month."""
    return (moment.date() + timedelta(days=1)).day == 1


@Rule
def is_holiday(moment: datetime, place: Place) -> bool:
    """On the public holidays of a country (`DE`), a part of one (`DE-BY`), or a market (`NYSE`).

    Needs the library `holidays`, as does `is_workday`: `pip install "penstock-schedulers[holidays]"`.
    """
    return moment.date() in holidays.calendar(place)


@Rule
def is_workday(moment: datetime, place: Place) -> bool:
    """From Monday to Friday, but for the public holidays of *place*."""
    return holidays.works(moment.date(), place)


def _between(start: Any, found: Any, end: Any) -> bool:
    return bool(start <= found <= end if start <= end else start <= found or found <= end)


def _as_shown(moment: datetime, like: datetime) -> datetime:
    return moment if like.tzinfo is not None else moment.replace(tzinfo=None)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]:
        return rules.attribute(__name__, "filter", name)
