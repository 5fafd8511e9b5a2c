"""A schedule of equal steps."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, overload

from pydantic import Field

from penstock_schedulers.local_times import instant
from penstock_schedulers.zoned import ZonedSchedule

_DAY: Final = timedelta(days=1)
_BEGINNING: Final = datetime(2019, 1, 1)  # noqa: DTZ001 - midnight in whatever zone the schedule has


class IntervalSchedule(ZonedSchedule):
    """Due at `start_date` and every `interval` after it.

    An interval of whole days keeps the hour on the wall, any other is time that really passes, so that the two
    differ over the days when clocks are changed. Without a start, steps are counted from 2019-01-01. The interval may
    also come first, as it does in a clock.
    """

    type: ClassVar[str] = "interval"
    positional: ClassVar[tuple[str, ...]] = ("start_date", "interval", "end_date", "parameter_defaults", "labels")

    interval: timedelta = Field(gt=timedelta(0), description="time from one to the next; a number is seconds")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        @overload
        def __init__(
            self,
            start_date: datetime | None = None,
            interval: timedelta | float = ...,  # required all the same
            end_date: datetime | None = None,
            **options: Any,
        ) -> None: ...

        @overload
        def __init__(
            self,
            interval: timedelta,
            start_date: datetime | None = None,
            end_date: datetime | None = None,
            **options: Any,
        ) -> None: ...

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take the interval and the start in either order."""
        if args and isinstance(args[0], timedelta):
            start = args[1] if len(args) > 1 else options.pop("start_date", None)
            args = (start, args[0], *args[2:])
        super().__init__(*args, **options)

    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield the times after *after*, and at most a few before."""
        zone = self.zone()
        start = self.start_date or instant(_BEGINNING, zone).astimezone(zone)
        if self.interval % _DAY:
            first = start.astimezone(UTC)
            number = max(0, (after - first) // self.interval + 1)
            return (first + step * self.interval for step in count(number))
        wall = start.replace(tzinfo=None)
        number = max(0, (after.astimezone(zone).replace(tzinfo=None) - wall) // self.interval - 1)
        return (instant(wall + step * self.interval, zone) for step in count(number))
