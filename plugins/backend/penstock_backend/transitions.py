"""Which state may follow which, as data, and the part of a run's history that a transaction adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from penstock import errors

WAITING: Final = frozenset({"Pending", "Scheduled", "Paused", "Resume", "Retrying", "Queued"})
"""Not begun, or to go on later: nobody holds the run."""
UNDER_WAY: Final = frozenset({"Submitted", "Running", "Cancelling", "ClientFailed", "Looped"})
"""Held by an agent."""
ENDED: Final = frozenset(
    {"Finished", "Success", "Cached", "Mapped", "Skipped", "Cancelled"}
    | {"Failed", "TimedOut", "TriggerFailed", "ValidationFailed"}
)
"""Terminal: nothing follows in this attempt."""
DUE: Final = frozenset({"Scheduled", "Retrying", "Resume", "Queued"})
"""An agent may take the run once its time has come."""

_ANY: Final = WAITING | UNDER_WAY | ENDED
FOLLOWERS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(WAITING | UNDER_WAY, _ANY),
    "Cancelling": ENDED,
    **dict.fromkeys(ENDED, frozenset()),
}
"""For each state, those that may follow it."""

Verdict = Literal["take", "pass over", "refuse"]


def judge(old: str, new: str) -> Verdict:
    """Return what to do with a report of state type *new* on a run in state type *old*.

    A run that is told to stop may still say that it works: that is passed over. After an end, all is refused.
    """
    if new in FOLLOWERS[old]:
        return "take"
    return "refuse" if old in ENDED else "pass over"


@dataclass(slots=True)
class Course:
    """Where a run is, and what its history gains before the transaction ends."""

    subject: str
    """What messages call the run."""
    type: str = "Pending"
    data: dict[str, Any] = field(default_factory=dict)
    timestamp: datetime | None = None
    attempt: int = 1
    version: int = 0
    start_time: datetime | None = None
    end_time: datetime | None = None
    added: list[dict[str, Any]] = field(default_factory=list)
    """Rows for the history, without the id of the run."""

    def enter(
        self, data: Mapping[str, Any], timestamp: datetime, attempt: int | None = None, *, anew: bool = False
    ) -> bool:
        """Go to the state *data*; return whether that changed anything.

        Repeating a state changes nothing. Raises ConflictError for a state that is unknown or may not follow; with
        *anew*, in another attempt or by hand, each may follow each.
        """
        new = str(data.get("type"))
        if new not in _ANY:
            message = f'{self.subject} cannot be "{new}": there is no such state.{errors.did_you_mean(new, _ANY)}'
            raise errors.ConflictError(message)
        if anew:
            self.start_time = None
            self._take(new, dict(data), timestamp, attempt)
            return True
        if self.version and self._repeats(new, data):
            return False
        verdict = judge(self.type, new) if self.version else "take"
        if verdict == "refuse":
            ended = f"{self.subject} has ended as {self.type}"
            message = f"{ended}; {new} may not follow. Restart it for another attempt"
            raise errors.ConflictError(message)
        if verdict == "take":
            self._take(new, dict(data), timestamp, attempt)
        return verdict == "take"

    def _repeats(self, new: str, data: Mapping[str, Any]) -> bool:
        return new == self.type and (new in ENDED or self.data == data)

    def _take(self, new: str, data: dict[str, Any], timestamp: datetime, attempt: int | None) -> None:
        self.type, self.data, self.timestamp = new, data, timestamp
        self.attempt = attempt or self.attempt
        self.version += 1
        if new == "Running" and self.start_time is None:
            self.start_time = timestamp
        self.end_time = timestamp if new in ENDED else None
        self.added.append(self.state_columns())

    def state_columns(self) -> dict[str, Any]:
        """Return the columns of the current state."""
        return {
            "attempt": self.attempt,
            "state_version": self.version,
            "state_type": self.type,
            "state_timestamp": self.timestamp,
            "state_data": self.data,
        }

    def run_columns(self) -> dict[str, Any]:
        """Return the columns that a run's own row takes from its history."""
        return {**self.state_columns(), "start_time": self.start_time, "end_time": self.end_time}
