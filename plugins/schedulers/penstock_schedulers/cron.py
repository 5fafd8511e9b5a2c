"""A schedule written as crontab(5) has it."""

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from penstock_schedulers.local_times import instant, instants
from penstock_schedulers.zoned import ZonedSchedule

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
_ANY_DAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - to parse an expression, which needs some day


class CronSchedule(ZonedSchedule):
    """Due when the clocks of a zone show what a cron expression asks for: `CronSchedule("0 6 * * 1-5")`.

    On days when clocks are changed, what is due at a time of day is due once: the first time it is shown, or where
    it is skipped, right after. Expressions whose minute or hour begins with `*` follow the time that really passes.
    """

    type: ClassVar[str] = "cron"
    positional: ClassVar[tuple[str, ...]] = ("cron", "start_date", "end_date")

    cron: str = Field(description="minute hour day-of-month month day-of-week, or an alias such as @daily")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self, cron: str, start_date: datetime | None = None, end_date: datetime | None = None, **options: Any
        ) -> None: ...

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

    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield the times after *after*, and some before."""
        zone = self.zone()
        fields = _fields(self.cron)
        minute, hour = fields.split()[:2]
        really = minute.startswith("*") or hour.startswith("*")
        shown = CronSim(fields, _first_wall(after, zone) - timedelta(seconds=1))
        return _in_order((instants(wall, zone) if really else [instant(wall, zone)]) for wall in shown)


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
    """Return what clocks show at the earliest from *after* on: less than they show now if they are put back soon."""
    wall, soon = (time.astimezone(zone).replace(tzinfo=None) for time in (after, after + _LONGEST_CHANGE))
    put_back = wall + _LONGEST_CHANGE - soon
    return wall - max(put_back, timedelta(0))


def _in_order(shown: Iterator[list[datetime]]) -> Iterator[datetime]:
    """Yield the instants of ascending wall times in ascending order: second showings wait for their turn."""
    waiting: list[datetime] = []
    for times in shown:
        while waiting and times and waiting[0] < times[0]:
            yield heapq.heappop(waiting)
        for time in times:
            heapq.heappush(waiting, time)
    yield from sorted(waiting)
