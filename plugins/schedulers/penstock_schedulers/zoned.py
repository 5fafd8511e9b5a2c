"""What schedules that have a beginning, an end and a time zone have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from penstock import errors
from penstock.hooks.kinds import KindSpec, Labels
from penstock.schedules import ClockEvent
from penstock_schedulers import local_times
from penstock_schedulers.local_times import Fold, Gap, Time, instant, instants
from penstock_schedulers.planned import Coming, Planned, PlannedSchedule


class ZonedSchedule(PlannedSchedule, ABC):
    """A schedule from `start_date` to `end_date`, both inclusive, by the clocks of a time zone.

    The zone is that of the first date given if none is; dates without a zone are in the schedule's. Such a schedule
    is also a clock of a `ClockSchedule`.
    """

    timezone: str = Field(default="UTC", description="IANA name of the time zone: `Europe/Berlin`")
    start_date: datetime | None = Field(default=None, description="nothing is due before")
    end_date: datetime | None = Field(default=None, description="nothing is due after")
    parameter_defaults: dict[str, Any] = Field(
        default_factory=dict, description="values for parameters of the runs that this makes"
    )
    labels: Labels | None = Field(
        default=None, description="labels of the runs that this makes, in the place of the flow's"
    )
    jitter: timedelta = Field(
        default=timedelta(0),
        ge=timedelta(0),
        description="each time is due later by less than so many seconds, always by as many, and before the next",
    )
    jitter_seed: str = Field(
        default="", description="what lets schedules with the same times have another jitter: the name of the flow, say"
    )

    @abstractmethod
    def times(self, after: datetime) -> Iterator[Time]:
        """Yield the times after *after* in their order; earlier ones and repetitions are left out later."""

    def coming(self, after: datetime) -> Coming:
        """Yield an event for each time from `start_date` to `end_date`."""
        zone, end = self.zone(), self.end_date
        labels = None if self.labels is None else sorted(self.labels)
        if self.start_date is not None:
            after = max(after, self.start_date.astimezone(UTC) - timedelta(microseconds=1))
        for time in takewhile(lambda time: end is None or time.instant <= end, self._until_the_end_of_time(after)):
            event = ClockEvent(time.instant, self.parameter_defaults, labels)
            yield Planned(event, time.instant.astimezone(zone), time.asked, self.jitter, self.jitter_seed)

    @property
    def most_jitter(self) -> timedelta:
        """By how much later than its clock says an event may be due: less than this."""
        return self.jitter

    def zone(self) -> ZoneInfo:
        """Return the time zone."""
        return ZoneInfo(self.timezone)

    def spec(self) -> KindSpec:
        """Return this schedule as data; raises ScheduleError for parameters that JSON has no form for."""
        failure = f"The parameter_defaults of {self!r} cannot be written as JSON"
        with errors.told_as(errors.ScheduleError, failure, errors.SettingsError):
            return super().spec()

    def _until_the_end_of_time(self, after: datetime) -> Iterator[Time]:
        last = after
        try:
            for time in self.times(after):
                if time.instant > last:
                    last = time.instant
                    yield time
        except OverflowError:  # past the year 9999 there are no dates
            return

    @model_validator(mode="before")
    @classmethod
    def _zone_of_dates(cls, options: Any) -> Any:
        if not isinstance(options, dict) or options.get("timezone") is not None:
            return options
        name = zone_name(getattr(cls.first_date(options), "tzinfo", None))
        return {**options, "timezone": name} if name else options

    @classmethod
    def first_date(cls, options: dict[str, Any]) -> Any:
        """Return the date of *options* whose time zone is the schedule's unless one is named."""
        return options.get("start_date")

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
        return None if date is None else in_zone(date, others)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        start, end = self.start_date, self.end_date
        if start is not None and end is not None and start.astimezone(UTC) > end.astimezone(UTC):
            raise PydanticCustomError("order", "its end_date is before its start_date, so that it is never due")
        return self


class WallSchedule(ZonedSchedule, ABC):
    """A schedule that names what clocks on the wall show, over the days when they are changed."""

    gap: Gap = Field(
        default="after",
        description="when a time that clocks skip is due: right after, as much later (shift), or never (skip)",
    )
    fold: Fold = Field(
        default="first", description="which of a time that clocks show twice is due: first, second, both"
    )

    @abstractmethod
    def walls(self, after: datetime) -> Iterator[datetime]:
        """Yield in their order what clocks are to show, from before what is due after *after*."""

    def times(self, after: datetime) -> Iterator[Time]:
        """Yield the times after *after*, and some before."""
        return local_times.times(self.walls(after), self.zone(), self.gap, self.fold)


def in_zone(date: datetime, others: ValidationInfo) -> datetime:
    """Return *date* in the time zone among the *others* of a schedule's options; one that a gap skips ends with it."""
    zone = ZoneInfo(others.data.get("timezone", "UTC"))
    wall = date.replace(tzinfo=None)
    shown = date.tzinfo is not None and instants(wall, date.tzinfo)
    return (date if shown else instant(wall, date.tzinfo or zone)).astimezone(zone)


def zone_name(zone: tzinfo | None) -> str | None:
    """Return the IANA name of *zone*, as the standard library, pytz or pendulum tell it, or None."""
    if zone is None or zone.utcoffset(None) == timedelta(0):
        return None if zone is None else "UTC"
    names = (getattr(zone, attribute, None) for attribute in ("key", "zone", "name"))
    return next((name for name in names if isinstance(name, str)), None)
