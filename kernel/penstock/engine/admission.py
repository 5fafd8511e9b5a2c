"""Whether a task may run, now that all it waits for has ended: skips, triggers, and what can be mapped over."""

from typing import Any, Final

from penstock import signals, triggers
from penstock.context import enter, leave
from penstock.edges import MAPPED
from penstock.engine.board import CLEAN, Board
from penstock.engine.failures import unreadable
from penstock.engine.mapping import Mapping, passed
from penstock.states import Failed, Mapped, Skipped, State

_SKIPPED: Final = (
    "Upstream task was skipped; if this was not the intended behavior, consider changing "
    "`skip_on_upstream_skip=False` for this task."
)


def refused(board: Board, number: int, child: int | None) -> State | None:
    """Return the state of a task that is skipped or whose trigger refuses, or None if it may run."""
    task = board.plan.tasks[number]
    trigger = task.options.trigger
    if trigger is triggers.all_successful and board.is_clean_above(number):
        return None
    by_edge = board.upstream_states(number, child)
    if task.options.skip_on_upstream_skip and any(state.is_skipped() for state in by_edge.values()):
        return Skipped(_SKIPPED)
    token = enter(board.frame(number, child))
    try:
        if trigger(by_edge):
            return None
    except signals.PenstockSignal as signal:
        return signal.state
    except Exception as error:  # noqa: BLE001 - a user's trigger
        return unreadable(f"The trigger of {task.name}", error)
    finally:
        leave(token)
    name = getattr(trigger, "__name__", str(trigger))
    return signals.TRIGGERFAIL(f"The trigger {name} of {task.name} did not accept its upstream states").state


def begin_mapping(board: Board, number: int) -> Mapping | State:
    """Return the mapping of a mapped task over its inputs, or the state of one that cannot be mapped."""
    plan, marks = board.plan, board.plan.marks[number] or ()
    nothing = _nothing_to_map(board, number)
    if nothing is not None:
        return nothing
    try:
        arguments = passed(board.values, plan.inputs[number], marks)
    except TypeError as error:
        return Failed(f"An input marked with flatten holds something that is not a collection: {error}", error)
    over = [value for value, mark in zip(arguments, marks, strict=True) if mark & MAPPED]
    after_marks = plan.after_marks[number] or ()
    over += [board.values[n] for n, mark in zip(plan.after[number], after_marks, strict=False) if mark & MAPPED]
    widths = [_width(value) for value in over]
    if None in widths:
        return Failed("At least one upstream state has an unmappable result.")
    clean = plan.tasks[number].options.trigger is triggers.all_successful and all(
        board.ended[other] == CLEAN or other in board.maps for other in plan.upstream(number)
    )
    return Mapping(number, arguments, marks, min(width for width in widths if width is not None), clean=clean)


def _nothing_to_map(board: Board, number: int) -> State | None:
    """Return the state of a mapped task one of whose mapped inputs did not come to be, or None."""
    plan = board.plan
    marked = zip(plan.inputs[number], plan.marks[number] or (), strict=True)
    over = [other for other, mark in marked if mark & MAPPED and other < len(plan.tasks)]
    if all(
        board.ended[other] == CLEAN or other in board.maps or isinstance(board.state(other), Mapped) for other in over
    ):
        return None
    why = refused(board, number, None)
    if why is None and not all(board.state(other).is_successful() for other in over):
        return Failed("No upstream states can be mapped over.")
    return why


def _width(value: Any) -> int | None:
    """Return how many items a value has to map over, or None if it cannot be indexed."""
    if isinstance(value, dict) or not hasattr(value, "__getitem__") or not hasattr(value, "__len__"):
        return None
    return len(value)
