"""A schedule of equal steps."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, overload

from pydantic import Field

from penstock_schedulers.local_times import Time, instant
from penstock_schedulers.zoned import WallSchedule

_DAY: Final = timedelta(days=1)
_BEGINNING: Final = datetime(2019, 1, 1)  # noqa: DTZ001 - midnight in whatever zone the schedule has


class IntervalSchedule(WallSchedule):
    """Due at `start_date` and every `interval` after it.

    An interval of whole days keeps the hour on the wall, any other is time that really passes, so that the two
    differ over the days when clocks are changed; `gap` and `fold` are for the former. Without a start, steps are
    counted from 2019-01-01. The interval may also come first, as it does in a clock.
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

    def times(self, after: datetime) -> Iterator[Time]:
        """Yield the times after *after*, and at most a few before."""
        if not self.interval % _DAY:
            return super().times(after)
        zone, first = self.zone(), self._first().astimezone(UTC)
        number = max(0, (after - first) // self.interval + 1)
        due = (first + step * self.interval for step in count(number))
        return (Time(time, time.astimezone(zone).replace(tzinfo=None, fold=0)) for time in due)

    def walls(self, after: datetime) -> Iterator[datetime]:
        """Yield the same time of day, days after days."""
        wall = self._first().replace(tzinfo=None, fold=0)
        number = max(0, (after.astimezone(self.zone()).replace(tzinfo=None) - wall) // self.interval - 1)
        return (wall + step * self.interval for step in count(number))

    def _first(self) -> datetime:
        zone = self.zone()
        return self.start_date or instant(_BEGINNING, zone).astimezone(zone)
