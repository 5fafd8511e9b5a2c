"""What schedules that have a beginning, an end and a time zone have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from penstock import clock, errors
from penstock.schedules import Schedule
from penstock_schedulers.local_times import instant


class ZonedSchedule(Schedule, ABC):
    """A schedule from `start_date` to `end_date`, both inclusive, by the clocks of a time zone.

    The zone is that of `start_date` if none is given; dates without a zone are in the schedule's.
    """

    timezone: str = Field(default="UTC", description="IANA name of the time zone: `Europe/Berlin`")
    start_date: datetime | None = Field(default=None, description="nothing is due before")
    end_date: datetime | None = Field(default=None, description="nothing is due after")

    @abstractmethod
    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield the times (UTC) after *after* in their order; earlier ones and repetitions are left out later."""

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """Return the next *n* times strictly after *after* (now if not given), in UTC.

        Raises ScheduleError if *after* has no time zone.
        """
        moment = clock.now() if after is None else after
        if moment.tzinfo is None:
            raise errors.ScheduleError(f"A schedule was asked for times after {moment}, which has no time zone")
        if self.start_date is not None:
            moment = max(moment, self.start_date.astimezone(UTC) - timedelta(microseconds=1))
        end = self.end_date
        coming = self._until_the_end_of_time(moment.astimezone(UTC))
        return list(islice(takewhile(lambda time: end is None or time <= end, coming), max(n, 0)))

    def zone(self) -> ZoneInfo:
        """Return the time zone."""
        return ZoneInfo(self.timezone)

    def _until_the_end_of_time(self, after: datetime) -> Iterator[datetime]:
        last = after
        try:
            for time in self.times(after):
                if time > last:
                    last = time
                    yield time
        except OverflowError:  # past the year 9999 there are no dates
            return

    @model_validator(mode="before")
    @classmethod
    def _zone_of_start(cls, options: Any) -> Any:
        if not isinstance(options, dict) or options.get("timezone") is not None:
            return options
        zone = getattr(options.get("start_date"), "tzinfo", None)
        name = getattr(zone, "key", None)
        return {**options, "timezone": name} if name else options

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (LookupError, ValueError, OSError) as error:
            hint = errors.did_you_mean(name, available_timezones())
            message = f"there is no such time zone; expected a name like Europe/Berlin.{hint}"
            raise PydanticCustomError("time_zone", "{message}", {"message": message}) from error
        return name

    @field_validator("start_date", "end_date")
    @classmethod
    def _in_zone(cls, date: datetime | None, others: ValidationInfo) -> datetime | None:
        if date is None:
            return None
        zone = ZoneInfo(others.data.get("timezone", "UTC"))
        return (instant(date, zone) if date.tzinfo is None else date).astimezone(zone)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        start, end = self.start_date, self.end_date
        if start is not None and end is not None and start.astimezone(UTC) > end.astimezone(UTC):
            raise PydanticCustomError("order", "its end_date is before its start_date, so that it is never due")
        return self
