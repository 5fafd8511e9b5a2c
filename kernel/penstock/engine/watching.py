"""Who has a say in a transition, and who is told: a task's handlers, the policy of plugins, the observers."""

from typing import TYPE_CHECKING, Any

from penstock import signals
from penstock.engine.board import Board
from penstock.engine.failures import unreadable
from penstock.engine.frames import inside
from penstock.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.tasks.options import StateHandler


def handled(board: Board, number: int, child: int | None, attempt: int, old: State, new: State) -> State:
    """Return what the task's handlers, asked one after another, make of *new*."""
    task = board.plan.tasks[number]
    if not task.options.state_handlers:
        return new
    with inside(board.frame(number, child, attempt)):
        return asked(task.options.state_handlers, task, old, new)


def asked(
    handlers: "Iterable[StateHandler]", subject: Any, old: State, new: State, *, what: str = "A state handler"
) -> State:
    """Return what the *handlers* of a task or flow, asked one after another, make of *new*."""
    try:
        for handler in handlers:
            new = handler(subject, old, new) or new
            if not isinstance(new, State):
                raise TypeError(f"it returned {new!r}, which is no state")  # noqa: TRY301 - as if it had raised itself
    except (Exception, signals.PenstockSignal) as error:  # noqa: BLE001 - a user's handler
        return unreadable(f"{what} of {subject.name}", error)
    return new


def committed(board: Board, number: int, child: int | None, attempt: int, old: State, new: State) -> State:
    """Return *new* or what a plugin's policy puts in its place, after telling the observers."""
    setup = board.setup
    if not setup.watched:
        return new
    run = board.task_run(number, child, attempt)
    if setup.propose is not None:
        new = setup.propose(run, old, new) or new
    for tell in setup.observers:
        tell(run, old, new)
    return new


def moved(board: Board, number: int, child: int | None, attempt: int, old: State, new: State) -> State:
    """Return what becomes of the transition from *old* to *new* once all have had their say."""
    return committed(board, number, child, attempt, old, handled(board, number, child, attempt, old, new))
