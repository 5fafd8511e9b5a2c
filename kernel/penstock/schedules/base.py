"""The schedule kind: when a flow is due."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar

from penstock.hooks.kinds import Kind


class Schedule(Kind, ABC):
    """The times at which a flow is due."""

    kind: ClassVar[str] = "schedule"

    @abstractmethod
    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """Return the next *n* times strictly after *after* (now if not given), fewer if the schedule ends.

        * In UTC, ascending, without repetition.
        * The same *after* always gives the same times.
        """
