"""A schedule of single dates."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from penstock_schedulers.local_times import Time
from penstock_schedulers.zoned import ZonedSchedule, in_zone


class DatesSchedule(ZonedSchedule):
    """Due at some dates, named one by one."""

    type: ClassVar[str] = "dates"
    positional: ClassVar[tuple[str, ...]] = ("dates", "parameter_defaults", "labels")

    dates: list[datetime] = Field(min_length=1, description="when it is due")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            dates: list[datetime],
            parameter_defaults: dict[str, Any] | None = ...,
            labels: list[str] | None = None,
            **options: Any,
        ) -> None: ...

    def times(self, after: datetime) -> Iterator[Time]:
        """Yield the dates after *after*."""
        times = [date.astimezone(UTC) for date in self.dates]
        begin = bisect_right(times, after)
        return (
            Time(time, date.replace(tzinfo=None)) for time, date in zip(times[begin:], self.dates[begin:], strict=True)
        )

    @classmethod
    def first_date(cls, options: dict[str, Any]) -> Any:
        """Return the first of the dates."""
        dates = options.get("dates")
        return next(iter(dates), None) if isinstance(dates, Iterable) else None

    @field_validator("dates")
    @classmethod
    def _in_order_and_zone(cls, dates: list[datetime], others: ValidationInfo) -> list[datetime]:
        return sorted((in_zone(date, others) for date in dates), key=lambda date: date.astimezone(UTC))
