"""What is looked up once per run, so that it need not be looked up once per task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.context import Frame
from penstock.engine.runs import FlowRun
from penstock.tasks import Task

if TYPE_CHECKING:
    from penstock.hooks.calls import Proposer, TaskObserver
    from penstock.results import Result


@dataclass(slots=True)
class Setup:
    """The surroundings of a run: its context, who watches it, and where its results go."""

    run: FlowRun
    frame: Frame
    values: dict[str, Any]
    slugs: Callable[[], Mapping[Task, str]]
    observers: "Sequence[TaskObserver]" = ()
    propose: "Proposer | None" = None
    wrapped: bool = False
    remote: bool = False
    result: "Result | None" = None
    checkpointing: bool = True
    watched: bool = field(init=False)

    def __post_init__(self) -> None:
        """Work out whether anybody wants to be told or asked about task runs."""
        self.watched = bool(self.observers) or self.propose is not None
        if not self.checkpointing:
            self.result = None

    def result_of(self, task: Task) -> "Result | None":
        """Return where the value of *task* is to be written, or None."""
        if not self.checkpointing or task.options.checkpoint is False:
            return None
        return task.options.result or self.result
