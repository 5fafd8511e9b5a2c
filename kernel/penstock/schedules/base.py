"""The schedule kind: when a flow is due."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from penstock.hooks.kinds import Kind


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """A time (UTC) at which a flow is due, with the parameters that go with it."""

    start_time: datetime
    parameter_defaults: Mapping[str, Any] = field(default_factory=dict)


class Schedule(Kind, ABC):
    """The times at which a flow is due."""

    kind: ClassVar[str] = "schedule"

    @abstractmethod
    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """Return the next *n* times strictly after *after* (now if not given), fewer if the schedule ends.

        * In UTC, ascending, without repetition.
        * The same *after* always gives the same times.
        """

    def events(self, n: int, after: datetime | None = None) -> list[ClockEvent]:
        """Return the times of `next` with what goes with each; a schedule that knows parameters says so here."""
        return [ClockEvent(time) for time in self.next(n, after)]
