"""How a scenario ended, as JSON in which both frameworks say the same: types, meanings and values, no wording."""

import builtins
import re
import traceback
from collections.abc import Mapping
from typing import Any, Final

MEANINGS: Final = tuple(
    (meaning, re.compile(pattern))
    for meaning, pattern in (
        ("the task ran", r"^Task run succeeded"),
        ("all children were made", r"[Mm]apped task|Ready to proceed with mapping"),
        ("skipped because an upstream task was", r"Upstream.*skipped|^A task above was skipped"),
        ("refused by {0}", r"^Trigger (?:was|function is) .(\w+).|^(\w+) lets a task run"),
        ("nothing to map over", r"No upstream states can be mapped"),
        ("not mappable", r"unmappable result"),
        ("a state handler raised", r"[Ss]tate handler|^Unexpected error: RefusalError"),
        ("the trigger raised", r"checking task trigger|^The trigger of .* could not be run"),
        ("the trigger said no", r"^Trigger failed|did not accept"),
        ("all were skipped", r"^All upstream.* skipped|^Each task above was skipped"),
        ("a round of the loop ended", r"^Round |is looping"),
        ("the branch is not taken", r"^Provided value|which this branch is for"),
        ("found at its target", r"^Result found at task target|target"),
        ("out of time", r"^Task timed out|did not end"),
        ("the resource did not come about", r"Resource manager (init|setup)|nothing to clean up"),
        ("a body raised", r"^Error during execution of task: "),
        ("a body raised", r"^\w*(Error|Exception)(: |$)"),
    )
)
"""What the frameworks' own sentences mean; any other message is the flow's own, and stands for itself."""


def meaning(message: str | None) -> str | None:
    """Return what a state's message means."""
    for means, pattern in MEANINGS:
        if message is not None and (match := pattern.search(message)):
            return means.format(*filter(None, match.groups()))
    return message


def family(error: BaseException) -> str:
    """Return the builtin that an exception is, or the name of its class if that is a signal or the flow's own."""
    own = type(error)
    if own.__module__.partition(".")[0] in ("prefect", "penstock") and "signals" not in own.__module__:
        return next(kind.__name__ for kind in own.__mro__ if hasattr(builtins, kind.__name__))
    return own.__name__


def plain(value: Any) -> Any:
    """Return a value as JSON; what JSON has no form for is named by its type."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {_kind(value): _inside(value)}


def _kind(value: Any) -> str:
    return "exception" if isinstance(value, BaseException) else type(value).__name__


def _inside(value: Any) -> Any:
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, Mapping):
        return sorted(([plain(key), plain(item)] for key, item in value.items()), key=repr)
    if isinstance(value, BaseException):
        return family(value)
    return told(value) if hasattr(value, "is_finished") else None


def told(state: Any) -> dict[str, Any]:
    """Return a state as JSON, the states of its children included."""
    told_of: dict[str, Any] = {"type": type(state).__name__, "means": meaning(state.message)}
    told_of["result"] = plain(state.result)
    for field in ("run_count", "loop_count", "n_map_states"):
        if hasattr(state, field):
            told_of[field] = getattr(state, field)
    if state.is_mapped():
        told_of["children"] = [told(child) for child in state.map_states]
    return told_of


class Outcome:
    """What was taken down while a scenario was played."""

    def __init__(self) -> None:
        self.in_any_order = False
        self.runs: list[dict[str, Any]] = []
        self.notes: list[Any] = []
        self.raised: str | None = None
        self.trace: BaseException | None = None

    def take_down(self, flow: Any, state: Any) -> None:
        """Add how a run of *flow* ended. Constants are left out: only one of the two makes tasks of them."""
        by_task = state.result if isinstance(state.result, Mapping) else {}
        final = {"type": type(state).__name__, "means": meaning(state.message)}
        if not isinstance(state.result, Mapping):
            final["result"] = plain(state.result)
        tasks = {flow.slugs[task]: told(task_state) for task, task_state in by_task.items() if _is_step(task)}
        self.runs.append({"flow": final, "tasks": dict(sorted(tasks.items()))})

    def note(self, value: Any) -> None:
        """Add a value of the scenario's own."""
        self.notes.append(plain(value))

    def as_json(self) -> dict[str, Any]:
        """Return everything taken down."""
        notes = sorted(self.notes, key=repr) if self.in_any_order else self.notes
        found: dict[str, Any] = {"runs": self.runs, "notes": notes, "raised": self.raised}
        if self.trace is not None:
            found["trace"] = "".join(traceback.format_exception(self.trace))
        return found


def _is_step(task: Any) -> bool:
    return type(task).__name__ != "Constant"
