"""Whether a task may run, now that all it waits for has ended: skips, triggers, and what can be mapped over."""

from collections.abc import Mapping as MappingOf
from typing import Final

from penstock import errors, signals, triggers
from penstock.edges import MAPPED, Edge
from penstock.engine.board import Board
from penstock.engine.failures import state_of, unreadable
from penstock.engine.frames import TaskFrame, inside
from penstock.engine.mapping import Mapping, Origins, has_items, odd_children, passed
from penstock.engine.templates import filled
from penstock.engine.work import Call, Work
from penstock.states import Failed, Skipped, State, TriggerFailed

_SKIPPED: Final = "A task above was skipped, and with it this one; skip_on_upstream_skip=False would let it run."


def refused(board: Board, number: int, child: int | None, origins: Origins | None = None) -> State | None:
    """Return the state of a task that is skipped or whose trigger refuses, or None if it may run."""
    task = board.plan.tasks[number]
    trigger = task.options.trigger
    if trigger is triggers.all_successful and board.is_clean_above(number):
        return None
    by_edge = board.upstream_states(number, child, origins or {})
    if task.options.skip_on_upstream_skip and _is_skipped_above(by_edge):
        return Skipped(_SKIPPED)
    try:
        with inside(board.frame(number, child)):
            if trigger(by_edge):
                return None
    except (Exception, signals.PenstockSignal) as error:  # noqa: BLE001 - a user's trigger
        return unreadable(f"The trigger of {task.name}", error, TriggerFailed)
    name = getattr(trigger, "__name__", str(trigger))
    return signals.TRIGGERFAIL(f"The trigger {name} of {task.name} did not accept its upstream states").state


def _is_skipped_above(by_edge: MappingOf[Edge, State]) -> bool:
    """Return whether anything upstream was skipped; a mapped task counts child by child where it passes whole."""
    return any(
        state.is_skipped() or (not edge.mapped and any(one.is_skipped() for one in odd_children(state)))
        for edge, state in by_edge.items()
    )


def begin_mapping(board: Board, number: int) -> Mapping | State:
    """Return the mapping of a mapped task over its inputs, or the state of one that cannot be mapped.

    The trigger is asked for each child. What has failed decides about the width only if it has items.
    """
    plan, options = board.plan, board.plan.tasks[number].options
    clean = board.is_clean_above(number, begun=True)
    if not clean and options.skip_on_upstream_skip and _is_skipped_above(board.upstream_states(number, None)):
        return Skipped(_SKIPPED)
    origins: Origins = {}
    inputs = plan.marked_inputs(number)
    ends = [*inputs, *[end for end in plan.after[number] if end[1] & MAPPED]]
    values = [passed(board, other, mark, origins) for other, mark in ends]
    over = [(other, value) for (other, mark), value in zip(ends, values, strict=True) if mark & MAPPED]
    good = [value for other, value in over if board.is_successful(other)]
    if not good:
        return Failed("No upstream states can be mapped over.")
    if not all(map(has_items, good)):
        return Failed("At least one upstream state has an unmappable result.")
    width = min(len(value) for _, value in over if has_items(value))
    arguments = [  # what failed without items stands as None in each child
        value if not mark & MAPPED or has_items(value) else [None] * width
        for (_, mark), value in zip(inputs, values, strict=False)
    ]
    clean = clean and options.trigger is triggers.all_successful
    return Mapping(number, arguments, [bool(mark & MAPPED) for _, mark in inputs], width, origins, clean=clean)


def admitted(board: Board, work: Work, number: int, call: Call) -> "Call | State":
    """Return a call with the name of its run, or the state of one whose value is there already or cannot be named."""
    template = board.plan.tasks[number].options.task_run_name
    args, child, attempt, extra = call
    if template is not None:
        try:
            with inside(TaskFrame(board.setup.frame, board, number, child, attempt, extra)):
                name = filled(template, work.inputs(call), f"task_run_name of task {work.__name__!r}")
        except errors.TaskError as error:
            return state_of(error)
        board.names[number, child] = name
        call = args, child, attempt, {**(extra or {}), "task_run_name": name}
    return (None if work.looks else work.look_up(board.setup.frame, call)) or call
