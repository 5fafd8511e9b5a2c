"""The live tree: one line per task, maps with counts, drawn anew a few times a second above nothing but itself."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from penstock import clock
from penstock_cli import printing
from penstock_cli.display import MARKS, Display, log_line
from penstock_cli.progress import Change, Progress, TaskLine

if TYPE_CHECKING:
    from penstock.backends.models import Log

COLORS: Final = {
    "waiting": "dim",
    "running": "#3d67ff",
    "retrying": "#f66a0a",
    "success": "#28a745",
    "failed": "#eb0000",
    "cancelled": "#bdbdbd",
    "not run": "dim",
}
_BUSY: Final = ("running", "retrying", "failed")
_ROOM: Final = 4
"""Lines of the terminal that are left to the title, the rest and the cursor."""
_A_SECOND: Final = 8


class Tree(Display):
    """A tree that is drawn while the run runs, and is gone afterwards; log lines go above it."""

    draws: ClassVar[bool] = True

    def __init__(self, progress: Progress, console: Console | None = None) -> None:
        """Draw on *console*, by default on standard output."""
        super().__init__(progress)
        self._lock = threading.Lock()
        self._console = console or Console(highlight=False)
        self._live = Live(
            get_renderable=self.render, console=self._console, refresh_per_second=_A_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the tree away."""
        self._live.stop()

    def take(self, change: Change) -> None:
        """Take up a change, between two drawings."""
        with self._lock:
            super().take(change)

    def log(self, log: "Log") -> None:
        """Print a line above the tree."""
        self._console.print(Text(f"  {log_line(log)}"))

    def render(self) -> Group:
        """Return the tree as it is now."""
        with self._lock:
            chosen = self._chosen()
            width = max((len(line.name) for line in chosen), default=0)
            rows = [self._row(line, width) for line in chosen]
            hidden = len(self.progress.shown) - len(chosen)
        if hidden:
            rows.append(Text(f"… {hidden} more tasks", "dim"))
        branches = [Text("├─ ", "dim")] * (len(rows) - 1) + [Text("└─ ", "dim")]
        return Group(self._title(), *[Text.assemble(branch, row) for branch, row in zip(branches, rows, strict=True)])

    def _chosen(self) -> list[TaskLine]:
        """Return the lines to draw: all, or where they do not fit those of tasks that are busy, then the others."""
        shown, room = list(self.progress.shown), max(self._console.size.height - _ROOM, 1)
        if len(shown) <= room:
            return shown
        by_interest = sorted(shown, key=lambda line: line.kind not in _BUSY)
        kept = {line.slug for line in by_interest[:room]}
        return [line for line in shown if line.slug in kept]

    def _title(self) -> Text:
        kind = self.progress.outcome
        return Text.assemble(
            (self.progress.title, "bold"),
            " ",
            (f"● {kind}", COLORS[kind]),
            (f"  {printing.lasting(self.progress.seconds())}", "dim"),
        )

    def _row(self, line: TaskLine, width: int) -> Text:
        kind = line.kind
        head = (f"{line.name:<{width}}  ", ""), (f"{MARKS[kind]} ", COLORS[kind])
        if line.children:
            return Text.assemble(*head, (f"{_counted(line):<12}", COLORS[kind]), (_activity(line), "dim"))
        return Text.assemble(*head, (f"{kind:<12}", COLORS[kind]), (_alone(line), "dim"))


def _counted(line: TaskLine) -> str:
    return f"{line.ended}/{line.width}" if line.width is not None else f"{line.ended}"


def _activity(line: TaskLine) -> str:
    running, retrying, failed = (line.counts[kind] for kind in ("running", "retrying", "failed"))
    words = []
    if running:
        words.append(f"{running} running")
    if retrying:
        words.append(f"{retrying} retrying{_again(line)}")
    if failed:
        words.append(f"{failed} failed")
    return ", ".join(words) or printing.between(line.start, line.end)


def _alone(line: TaskLine) -> str:
    if line.state.is_retrying():
        return _again(line).strip()
    if line.kind == "not run":
        return ""
    if line.state.is_terminal():
        return printing.between(line.start, line.end)
    return printing.lasting((clock.now() - line.start).total_seconds()) if line.start else ""


def _again(line: TaskLine) -> str:
    state = line.retrying()
    if state is None:
        return ""
    seconds = max((state.start_time - clock.now()).total_seconds(), 0) if state.start_time else 0
    return f" (attempt {state.run_count + 1} of {line.max_retries + 1}, in {seconds:.0f} s)"
