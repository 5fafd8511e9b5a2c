"""The schedule kind: when a flow is due."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from penstock import errors
from penstock.hooks import lookup
from penstock.hooks.kinds import Kind


@dataclass(frozen=True, slots=True, eq=False)
class ClockEvent:
    """A time (UTC) at which a flow is due, with the parameters and labels of its run; labels of None are the flow's.

    It is compared with others and with datetimes by its time, and equal to another if all that it holds is.
    """

    start_time: datetime
    parameter_defaults: Mapping[str, Any] = field(default_factory=dict)
    labels: Sequence[str] | None = None

    def __eq__(self, other: object) -> bool:
        """Compare what the events hold, or the time with a datetime."""
        if not isinstance(other, ClockEvent):
            return self.start_time == other
        held = [(one.start_time, one.parameter_defaults, one.labels) for one in (self, other)]
        return held[0] == held[1]

    def __hash__(self) -> int:
        """Hash the time, which may be equal to a datetime."""
        return hash(self.start_time)

    def __lt__(self, other: "ClockEvent | datetime") -> bool:
        """Compare times."""
        return self.start_time < getattr(other, "start_time", other)

    def __gt__(self, other: "ClockEvent | datetime") -> bool:
        """Compare times."""
        return self.start_time > getattr(other, "start_time", other)


class Schedule(Kind, ABC):
    """The times at which a flow is due. `Schedule(clocks=[...])` makes a `ClockSchedule`."""

    kind: ClassVar[str] = "schedule"

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        """Make an object of *cls*, or of the schedule that is made of clocks."""
        made: Self = object.__new__(lookup.find(cls.kind, "ClockSchedule") if cls is Schedule else cls)
        return made

    @classmethod
    def resolve(cls, value: Any, /, **options: Any) -> Self:
        """Return a schedule for *value*, as every kind does; text that names no type is a time of its own.

        So `"0 6 * * 1-5 Europe/Paris"` and `"every 10 minutes"` are schedules. Other text raises ScheduleError that
        shows the forms, a single word UnknownTypeError, and PluginMissingError where `penstock-schedulers`, which reads
        text, is not installed.
        """
        try:
            return super().resolve(value, **options)
        except errors.UnknownTypeError:
            if not isinstance(value, str):
                raise
            read: Self = lookup.find(cls.kind, "ClockSchedule").from_text(value, **options)
            return read

    @abstractmethod
    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """Return the next *n* times strictly after *after* (now if not given), fewer if the schedule ends.

        * In UTC, ascending, without repetition.
        * The same *after* always gives the same times.
        """

    def events(self, n: int, after: datetime | None = None) -> list[ClockEvent]:
        """Return what is due at the times of `next`; a schedule that knows parameters or labels says so here.

        There may be several events at one time, and so more than *n*.
        """
        return [ClockEvent(time) for time in self.next(n, after)]
