"""How far a flow run is: what is known of each task, kept up to date by the changes of state that a run tells."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock import clock
from penstock.states import Mapped, Pending, Retrying, State, TriggerFailed

if TYPE_CHECKING:
    from penstock import Flow

_HIDDEN: Final = ("penstock.parameters.Parameter", "penstock.tasks.collections.Gather")
"""Classes of tasks that only pass values on, and are shown only if they fail."""
_ENDED: Final = ("success", "failed", "cancelled", "not run")


class Change(NamedTuple):
    """A run went into a state: the flow run if `slug` is None, else a task run or a mapped child."""

    state: State
    time: datetime
    slug: str | None = None
    task: str | None = None
    map_index: int | None = None
    attempt: int = 1

    @property
    def name(self) -> str | None:
        """The name of the task run, with the index of a child."""
        return self.task if self.map_index is None else f"{self.task}[{self.map_index}]"


@dataclass(slots=True)
class TaskLine:
    """What is known of one task of the flow, its mapped children together."""

    slug: str
    name: str
    mapped: bool = False
    max_retries: int = 0
    hidden: bool = False
    state: State = field(default_factory=Pending)
    width: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    children: dict[int, State] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, change: Change) -> None:
        """Take up a change of state of this task or of a child of it."""
        self.start = self.start or change.time
        if change.map_index is None:
            self.state = change.state
            self.width = change.state.n_map_states if isinstance(change.state, Mapped) else self.width
            self.end = change.time if change.state.is_terminal() else None
            return
        before = self.children.get(change.map_index)
        if before is not None:
            self.counts[kind(before)] -= 1
        self.children[change.map_index] = change.state
        self.counts[kind(change.state)] += 1

    @property
    def ended(self) -> int:
        """How many task runs of it have ended, a mapped task's children counted and not itself."""
        if self.mapped or self.children:
            return sum(self.counts[kind] for kind in _ENDED)
        return int(self.state.is_terminal())

    @property
    def kind(self) -> str:
        """What the line shows, in the words of `kind`."""
        if self.children and not self.state.is_terminal():
            return "running"
        if self.counts["failed"]:
            return "failed"
        return kind(self.state)

    def retrying(self) -> Retrying | None:
        """Return the state of the child, or of the task, that is tried again soonest."""
        waiting = [state for state in (self.state, *self.children.values()) if isinstance(state, Retrying)]
        return min(waiting, key=lambda state: state.start_time or clock.now(), default=None)


class Progress:
    """A flow run: its tasks in an order in which each comes after those it waits for."""

    def __init__(self, title: str, lines: Iterable[TaskLine]) -> None:
        """Begin with every task waiting."""
        self.title = title
        self.lines = {line.slug: line for line in lines}
        self.state: State = Pending()
        self.start: datetime | None = None
        self.end: datetime | None = None

    def take(self, change: Change) -> None:
        """Take up a change of state."""
        if change.slug is not None:
            line = self.lines.get(change.slug)
            if line is not None:
                line.take(change)
            return
        self.state = change.state
        if change.state.is_running() or change.state.is_terminal():
            self.start = self.start or change.time
        self.end = change.time if change.state.is_terminal() else None

    @property
    def shown(self) -> Sequence[TaskLine]:
        """The tasks worth a line."""
        return [line for line in self.lines.values() if not line.hidden or line.state.is_failed()]

    @property
    def ended(self) -> int:
        """How many task runs have ended."""
        return sum(line.ended for line in self.shown)

    @property
    def outcome(self) -> str:
        """What the run comes down to: waiting, running, success, failed or cancelled."""
        return kind(self.state)

    def seconds(self) -> float:
        """Return how long the run has been under way, or took."""
        return ((self.end or clock.now()) - self.start).total_seconds() if self.start else 0.0


def kind(state: State) -> str:
    """Return what a state comes down to for somebody who watches: waiting, running, retrying, or how it ended."""
    if state.is_retrying():
        return "retrying"
    if isinstance(state, TriggerFailed):
        return "not run"
    if state.is_failed():
        return "failed"
    if state.is_cancelled():
        return "cancelled"
    if state.is_finished():
        return "success"
    return "running" if state.is_running() else "waiting"


def of_flow(flow: "Flow", title: str) -> Progress:
    """Return the progress of a run of *flow* that has not begun."""
    slugs = flow.slugs
    mapped = {edge.downstream_task for edge in flow.edges if edge.mapped}
    return Progress(
        title,
        [
            TaskLine(slugs[task], task.name, task in mapped, task.options.max_retries, _type(task) in _HIDDEN)
            for task in flow.sorted_tasks()
        ],
    )


def of_spec(spec: dict[str, Any], title: str) -> Progress:
    """Return the progress of a run of a registered flow, from its metadata."""
    return Progress(
        title,
        [
            TaskLine(
                task["slug"],
                task["name"],
                bool(task.get("mapped")),
                int(task.get("max_retries", 0)),
                task.get("type") in _HIDDEN,
            )
            for task in spec.get("tasks", ())
        ],
    )


def _type(task: object) -> str:
    return f"{type(task).__module__}.{type(task).__qualname__}"


class Widths:
    """Works out how many children the mapped tasks of a flow will have, from the values they are mapped over."""

    def __init__(self, flow: "Flow", progress: Progress) -> None:
        """Write down which tasks are mapped over which."""
        slugs = flow.slugs
        self._lines = progress.lines
        self._over: dict[str, list[tuple[str, bool]]] = {}
        for edge in flow.edges:
            if edge.mapped:
                self._over.setdefault(slugs[edge.upstream_task], []).append(
                    (slugs[edge.downstream_task], edge.flattened)
                )

    def take(self, slug: str, value: Any) -> None:
        """Take up what the task *slug* returned."""
        for downstream, flattened in self._over.get(slug, ()):
            width = _width(value, flattened=flattened)
            line = self._lines[downstream]
            if width is not None:
                line.width = width if line.width is None else min(line.width, width)


def _width(value: Any, *, flattened: bool) -> int | None:
    if not isinstance(value, list | tuple):
        return None
    if not flattened:
        return len(value)
    return sum(len(inner) for inner in value) if all(isinstance(inner, list | tuple) for inner in value) else None
