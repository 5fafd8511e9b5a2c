"""Branches of a flow: `case`, `switch` and `ifelse` part them, `merge` brings them together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock import errors, signals, triggers
from penstock.blocks import Block
from penstock.edges import Binding
from penstock.tasks import Task, as_task

if TYPE_CHECKING:
    from typing import Unpack

    from penstock.flow import Flow
    from penstock.tasks.options import NamedTaskArguments, TaskArguments


class CompareValue(Task):
    """Skips itself, and so the branch that waits for it, unless the value it is given equals its own."""

    def __init__(self, value: Any, name: str | None = None, **options: "Unpack[TaskArguments]") -> None:
        """Compare with *value*."""
        super().__init__(name or f'CompareValue: "{value}"', **options)
        self.value: Any = value

    def run(self, value: Any) -> None:
        """Skip unless *value* is the one; the message does not say what it was, since messages leave the run."""
        if value != self.value:
            raise signals.SKIP(f"The value is not {self.value!r}, which this branch is for.")


class case(Block):  # noqa: N801 - read as a statement: with case(task, value):
    """A block of tasks that run only if *task* returns *value*: `with case(kind, "csv"):`.

    Tasks inside that wait for no other task inside wait for the comparison, which skips them if it does not hold.
    Parameters and constants are not guarded. Blocks may be nested.
    """

    def __init__(self, task: Any, value: Any, flow: "Flow | None" = None) -> None:
        """Compare the value of *task* with *value*, in *flow* or the active one; raises TypeError if that is a task."""
        super().__init__(flow)
        if isinstance(value, Task):
            raise TypeError(f"case compares with a value; found {value!r}. Compare tasks: case(a.is_equal(b), True)")
        self.task: Any = task
        self.value: Any = value
        self._comparisons: list[Task] = []

    def __enter__(self) -> None:
        """Add the comparison, and begin."""
        flow = self._choose_flow()
        self._comparisons.append(CompareValue(self.value, name=f"case({self.value})").bind(value=self.task, flow=flow))
        self._open()

    def __exit__(self, *exception: object) -> None:
        """End, and let the tasks inside wait for the comparison; if there are none, take it out."""
        inside, comparison = self._close(), self._comparisons.pop()
        for task in self._first(inside):
            self.flow._bind_more(task, Binding(after=(comparison,)))  # noqa: SLF001 - the graph's own two halves
        if not inside:
            self.flow._remove(comparison)  # noqa: SLF001 - the graph's own two halves

    def __repr__(self) -> str:
        """Show what is compared."""
        return f"case({self.task!r}, {self.value!r})"


def switch(condition: Any, cases: Mapping[Any, Any], mapped: bool = False) -> None:  # noqa: FBT002 - as ever
    """Let the task of *cases* run whose key equals the value of *condition*, and skip the others.

    What waits for a skipped task is skipped too, unless it is a `merge` or has `skip_on_upstream_skip=False`. What
    the tasks themselves wait for runs in any case. With *mapped*, each item of the condition decides for its child.
    """
    if not isinstance(cases, Mapping):
        raise TypeError(f"switch needs a task for each value, {{value: task}}; found {cases!r}")
    for value, chosen in cases.items():
        compared = CompareValue(value, tags={"switch"}).bind(value=condition, mapped=mapped)
        as_task(chosen).set_dependencies(upstream_tasks=[compared], mapped=mapped)


class _AsBool(Task):
    """Says whether a value is true."""

    def run(self, x: Any) -> bool:
        return bool(x)


def ifelse(condition: Any, true_task: Any, false_task: Any, mapped: bool = False) -> None:  # noqa: FBT002
    """Let *true_task* run if the value of *condition* is true, *false_task* if it is not; either may be None."""
    cases = {holds: task for holds, task in ((True, true_task), (False, false_task)) if task is not None}
    if cases:
        switch(_AsBool(name="as_bool").bind(condition, mapped=mapped), cases, mapped=mapped)


class Merge(Task):
    """Takes the first value that is not None; skipped only if all it waits for was."""

    def __init__(self, **options: "Unpack[NamedTaskArguments]") -> None:
        """Make the task; takes the options of `Task`, but cannot be skipped with one of its branches."""
        if options.setdefault("skip_on_upstream_skip", False):
            message = "merge cannot have skip_on_upstream_skip=True: all branches but one are skipped. Leave it out"
            raise errors.TaskError(message)
        options.setdefault("trigger", triggers.not_all_skipped)
        super().__init__(**options)

    def run(self, **values: Any) -> Any:
        """Return the first value that is not None."""
        return next((value for value in values.values() if value is not None), None)


def merge(
    *tasks: Any, flow: "Flow | None" = None, mapped: bool = False, **options: "Unpack[NamedTaskArguments]"
) -> Task:
    """Add a task whose value is the first of the *tasks*' that is not None, and return it.

    Give it the ends of branches of which one has run. Takes the options of `Task`.
    """
    branches = {f"task_{position}": task for position, task in enumerate(tasks, 1)}
    return Merge(**options).bind(**branches, flow=flow, mapped=mapped)
