"""What is looked up once per run, so that it need not be looked up once per task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from penstock import errors
from penstock.context import Frame
from penstock.engine.caching import Cache
from penstock.engine.runs import FlowRun
from penstock.engine.work import Around
from penstock.tasks import Task

if TYPE_CHECKING:
    from penstock.hooks.calls import Proposer, TaskObserver
    from penstock.results import Result


@dataclass(slots=True)
class Setup:
    """The surroundings of a run: its context, who watches it, and where its results go.

    The *mourners* are those among the *observers* that care for failures only. `approve` is asked with the name of a
    task that was paused whether it may go on; without *keeps_values* the value of a task is let go once all that take
    it have ended.
    """

    run: FlowRun
    frame: Frame
    values: dict[str, Any]
    slugs: Callable[[], Mapping[Task, str]]
    observers: "Sequence[TaskObserver]" = ()
    mourners: "Sequence[TaskObserver]" = ()
    propose: "Proposer | None" = None
    wrapped: bool = False
    remote: bool = False
    result: "Result | None" = None
    checkpointing: bool = True
    task_contexts: Mapping[Task, Mapping[str, Any]] | None = None
    approve: Callable[[str], bool] = lambda _name: False
    keeps_values: bool = True

    @property
    def watched(self) -> bool:
        """Whether anybody wants to be told or asked about task runs."""
        return bool(self.observers) or self.propose is not None

    def around(self, task: Task) -> Around:
        """Return what is done around the body of *task*."""
        options = task.options
        looks = options.cache_for is not None or (options.target is not None and self.checkpointing)
        only_looks = looks and options.target is not None and options.checkpoint is False
        result = (options.result or self.result) if only_looks else self.result_of(task)
        if looks and result is None:
            result = _files() if self.checkpointing and options.checkpoint is not False else None
            result = result or _memory()
        cached, by_place = None, getattr(options.cache_validator, "by_place", False)
        if options.cache_for is not None and result is not None:
            key = options.cache_key or (f"{self.run.flow_name}/{self.slugs()[task]}" if by_place else task.name)
            cached = Cache(key, options.cache_for, options.cache_validator, result)
        target = options.target if looks else None
        return Around(result, target, cached, options.timeout, options.log_stdout, self.wrapped, not only_looks)

    def result_of(self, task: Task) -> "Result | None":
        """Return where the value of *task* is to be written, or None."""
        wanted = self.checkpointing and task.options.checkpoint is not False
        return (task.options.result or self.result) if wanted else None


def _files() -> "Result | None":
    """Return files on this machine's disk, which serve caches and targets if nothing else is configured."""
    from penstock.results import Result

    try:
        return Result.resolve("local")
    except errors.PluginError:
        return None


@cache
def _memory() -> "Result":
    """Return this process's memory, where no plugin knows files or nothing is to be written."""
    from penstock.results import MemoryResult

    return MemoryResult()
