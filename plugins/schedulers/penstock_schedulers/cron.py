"""A schedule written as crontab(5) has it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from penstock_schedulers import local_times
from penstock_schedulers.local_times import Time
from penstock_schedulers.zoned import WallSchedule

_ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS: Final = "minute hour day-of-month month day-of-week"
_LONGEST_CHANGE: Final = timedelta(hours=26)  # no clock was ever put forward or back by more than a day
_LONGEST_PAUSE: Final = timedelta(
    days=41 * 366
)  # the 29th of February is a given day of the week after 40 years at most
_ANY_DAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - to parse an expression, which needs some day


class CronSchedule(WallSchedule):
    """Due when the clocks of a zone show what a cron expression asks for: `CronSchedule("0 6 * * 1-5")`.

    On days when clocks are changed, what is due at a time of day is due once: the first time it is shown, or where
    it is skipped, right after, unless `fold` or `gap` say otherwise. Expressions whose minute or hour begins with `*`
    follow the time that really passes, and need neither.
    """

    type: ClassVar[str] = "cron"
    positional: ClassVar[tuple[str, ...]] = ("cron", "start_date", "end_date", "day_or")

    cron: str = Field(description="minute hour day-of-month month day-of-week, or an alias such as @daily")
    day_or: bool = Field(
        default=True,
        description="where both a day of the month and one of the week are asked for, whether either is enough",
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            cron: str,
            start_date: datetime | None = None,
            end_date: datetime | None = None,
            day_or: bool | None = True,  # noqa: FBT002 - the classic's signature
            **options: Any,
        ) -> None: ...

    @field_validator("day_or", mode="before")
    @classmethod
    def _either_unless_said(cls, day_or: Any) -> Any:
        return True if day_or is None else day_or

    @model_validator(mode="after")
    def _comes(self) -> Self:
        if next(self._shown(_ANY_DAY), None) is None:
            message = f"no day is ever both the day of the month and the day of the week that {self.cron!r} asks for"
            raise PydanticCustomError("never", "{message}", {"message": message})
        return self

    @field_validator("cron")
    @classmethod
    def _readable(cls, cron: str) -> str:
        cron = " ".join(cron.split())
        try:
            CronSim(_fields(cron), _ANY_DAY)
        except CronSimError as error:
            field = str(error).removeprefix("Bad ")
            message = f"its {field} cannot be read or never comes; expected {_FIELDS}"
            raise PydanticCustomError("cron", "{message}", {"message": message}) from error
        except ValueError as error:
            raise PydanticCustomError("cron", "{message}", {"message": str(error)}) from error
        return cron

    def times(self, after: datetime) -> Iterator[Time]:
        """Yield the times after *after*, and some before."""
        minute, hour = _fields(self.cron).split()[:2]
        if minute.startswith("*") or hour.startswith("*"):
            return local_times.times(self.walls(after), self.zone(), "skip", "both")
        return super().times(after)

    def walls(self, after: datetime) -> Iterator[datetime]:
        """Yield what the expression asks for, from about *after* on."""
        return self._shown(_first_wall(after, self.zone()) - timedelta(seconds=1))

    def _shown(self, after: datetime) -> Iterator[datetime]:
        """Yield what clocks show when it is due."""
        minute, hour, day, month, weekday = _fields(self.cron).split()
        if self.day_or or day.startswith("*") or weekday.startswith("*"):
            return CronSim(_fields(self.cron), after)
        by_day, by_weekday = f"{minute} {hour} {day} {month} *", f"{minute} {hour} * {month} {weekday}"
        return _in_both(CronSim(by_day, after), CronSim(by_weekday, after))


def _in_both(one: Iterator[datetime], other: Iterator[datetime]) -> Iterator[datetime]:
    """Yield what two ascending series have in common, until they have had nothing for too long."""
    last = None
    for time, shown in groupby(merge(one, other)):
        last = last or time
        if len(list(shown)) > 1:
            yield time
            last = time
        elif time - last > _LONGEST_PAUSE:
            return


def _fields(cron: str) -> str:
    """Return five fields; raises ValueError saying what is wrong with their number."""
    if cron.startswith("@"):
        if cron.lower() not in _ALIASES:
            raise ValueError(f"there is no such alias; expected one of {', '.join(_ALIASES)}")
        return _ALIASES[cron.lower()]
    found, expected = len(cron.split()), len(_FIELDS.split())
    if found != expected:
        hint = ". Seconds have no field; use an interval schedule for less than a minute" if found > expected else ""
        raise ValueError(f"it has {found} fields; expected {expected}: {_FIELDS}{hint}")
    return cron


def _first_wall(after: datetime, zone: ZoneInfo) -> datetime:
    """Return the earliest that may stand for a time after *after*.

    That is less than clocks show then where they are put back soon, or were put forward and a time is shifted by that.
    """
    around = (after - _LONGEST_CHANGE, after, after + _LONGEST_CHANGE)
    lately, wall, soon = (time.astimezone(zone).replace(tzinfo=None) for time in around)
    put_forward, put_back = wall - _LONGEST_CHANGE - lately, wall + _LONGEST_CHANGE - soon
    return wall - max(put_back, timedelta(0)) - max(put_forward, timedelta(0))
