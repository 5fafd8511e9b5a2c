"""What is seen of a run while it runs: a live tree on a terminal, a line per change elsewhere, JSON, or nothing."""

from datetime import UTC
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TextIO

import click

from penstock_cli import printing
from penstock_cli.progress import Change, Progress

if TYPE_CHECKING:
    from penstock.backends.models import Log
    from penstock.states import State

MARKS: Final = {
    "waiting": "○",
    "running": "◐",
    "retrying": "◐",
    "success": "●",
    "failed": "✗",
    "cancelled": "✗",
    "not run": "○",
}
ENDINGS: Final = {"success": "✓", "failed": "✗", "cancelled": "✗"}


class Display:
    """Takes up the changes of a run; this one shows nothing."""

    draws: ClassVar[bool] = False
    """Whether it draws over what it has shown, so that other lines have to be short and go above."""

    def __init__(self, progress: Progress) -> None:
        """Keep *progress* up to date."""
        self.progress = progress

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""

    def take(self, change: Change) -> None:
        """Take up a change of state."""
        self.progress.take(change)

    def log(self, log: "Log") -> None:
        """Take up a line that a run elsewhere has logged."""


class Lines(Display):
    """A plain line per change of state; without *children* mapped children have none unless they fail."""

    def __init__(self, progress: Progress, *, children: bool = True) -> None:
        """Print lines."""
        super().__init__(progress)
        self._children = children

    def take(self, change: Change) -> None:
        """Print a line."""
        super().take(change)
        if not change.state.is_failed() and self._is_small(change):
            return
        words = (
            f"{change.time.astimezone():%H:%M:%S}",
            change.name or self.progress.title,
            change.state.type,
            _worth_saying(change.state),
        )
        click.echo("  ".join(word for word in words if word))

    def log(self, log: "Log") -> None:
        """Print a line."""
        click.echo(log_line(log))

    def _is_small(self, change: Change) -> bool:
        """Return whether a change is not worth a line as long as all is well."""
        line = self.progress.lines.get(change.slug or "")
        return (change.map_index is not None and not self._children) or (line is not None and line.hidden)


class Events(Display):
    """A JSON object per event, on a line of its own: `event` is `flow_run`, `task_run` or `log`; times are UTC."""

    def __init__(self, progress: Progress, output: TextIO | None = None) -> None:
        """Print to *output*, by default to standard output."""
        super().__init__(progress)
        self._output = output

    def take(self, change: Change) -> None:
        """Print a change of state."""
        super().take(change)
        event: dict[str, Any] = {"event": "flow_run" if change.slug is None else "task_run", "run": self.progress.title}
        if change.slug is not None:
            event |= {
                "task": change.name,
                "slug": change.slug,
                "map_index": change.map_index,
                "attempt": change.attempt,
            }
        event["state"] = {
            "type": change.state.type,
            "message": change.state.message,
            "timestamp": change.time.astimezone(UTC).isoformat(),
        }
        self._print(event)

    def log(self, log: "Log") -> None:
        """Print a line of the log."""
        self._print({"event": "log", "run": self.progress.title, **log.model_dump(mode="json")})

    def _print(self, event: dict[str, Any]) -> None:
        click.echo(printing.json_text(event), file=self._output)


def choose(
    progress: Progress, *, as_json: bool, quiet: bool, children: bool = True, events: TextIO | None = None
) -> Display:
    """Return the display that fits where output goes; *events* is where JSON goes, if not to standard output."""
    if quiet:
        return Display(progress)
    if as_json:
        return Events(progress, events)
    if not printing.on_terminal():
        return Lines(progress, children=children)
    from penstock_cli.tree import Tree

    return Tree(progress)


def _worth_saying(state: "State") -> str | None:
    """Return what a line says beside the name of the state: why, where something does not go as it should."""
    if state.is_running() or state.is_successful():
        return None
    exception = (state.context or {}).get("exception") if state.is_retrying() else None
    return f"{state.message}: {exception['type']}: {exception['message']}" if exception else state.message


def log_line(log: "Log") -> str:
    """Return a line of the log as people read it."""
    level = "" if log.level.upper() == "INFO" else f"{log.level.upper()}  "
    task = f"{log.task}  " if log.task else ""
    return f"{log.timestamp.astimezone():%H:%M:%S}  {task}{level}{log.message}"


def summary(progress: Progress, *extra: str) -> str:
    """Return the line that stays: how a run ended, how long it took, and what more there is to say."""
    kind = progress.outcome
    title = click.style(progress.title, bold=True)
    ended = click.style(f"{ENDINGS.get(kind, '·')} {kind}", fg={"success": "green", "failed": "red"}.get(kind))
    return "   ".join([f"{title} {ended} in {printing.lasting(progress.seconds())}", *extra])


def task_runs(progress: Progress) -> str:
    """Return how many task runs have ended, in words."""
    return f"{progress.ended} task run{'' if progress.ended == 1 else 's'}"
