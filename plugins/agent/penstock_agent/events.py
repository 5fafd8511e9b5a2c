"""What an agent says of its work."""

from dataclasses import dataclass
from typing import Any, Literal

from penstock.backends.models import FlowRun

Kind = Literal["started", "plugin", "claimed", "ended", "trouble", "stopping", "stopped"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: what, to which run, and the rest in words."""

    kind: Kind
    message: str = ""
    run: FlowRun | None = None

    def text(self) -> str:
        """Return the event as a line for people."""
        return " ".join(filter(None, (self.kind, self.subject(), self.outcome(), self.message)))

    def subject(self) -> str:
        """Return which run it is about."""
        if self.run is None:
            return ""
        return self.run.name if self.kind == "ended" else f"{self.run.name} ({self.run.project}/{self.run.flow})"

    def outcome(self) -> str:
        """Return how the run ended, and after what time."""
        if self.run is None or self.kind != "ended":
            return ""
        seconds = self.lasted()
        took = f" in {seconds:.1f} s" if seconds is not None else ""
        failed = self.run.state.type not in ("Success", "Cached", "Mapped", "Skipped") and self.run.state.message
        return f"{self.run.state.type}{took}{f': {self.run.state.message}' if failed else ''}"

    def lasted(self) -> float | None:
        """Return the seconds from the first Running state of the run to its end, if it came to both."""
        if self.run is None or self.run.start_time is None or self.run.end_time is None:
            return None
        return (self.run.end_time - self.run.start_time).total_seconds()

    def data(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        run = self.run
        known = {"id": run.id, "name": run.name, "project": run.project, "flow": run.flow} if run is not None else None
        state = run.state.model_dump(mode="json") if run is not None and self.kind == "ended" else None
        return {"event": self.kind, "message": self.message, "run": known, "state": state, "seconds": self.lasted()}
