"""One run of a flow: parameters in, the engine driven with an executor, the flow's final state out."""

import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock import errors, narration, redaction, settings, signals
from penstock.context import Frame, active_flow, current
from penstock.engine.board import CLEAN, ODD, Board
from penstock.engine.collecting import rare_collections
from penstock.engine.driver import INTERRUPTED, Driver
from penstock.engine.failures import unreadable
from penstock.engine.frames import RUN_LAZY, run_values
from penstock.engine.mapping import odd_children
from penstock.engine.runs import FlowRun
from penstock.engine.setup import Setup
from penstock.engine.watching import asked
from penstock.engine.work import SUCCEEDED
from penstock.hooks import calls
from penstock.parameters import check_names
from penstock.states import Cancelled, Failed, Mapped, Pending, Running, State, Success
from penstock.tasks import Task

if TYPE_CHECKING:
    from penstock.executors import Executor
    from penstock.flow import Flow
    from penstock.results import Result

ExecutorChoice: TypeAlias = "Executor | futures.Executor | Mapping[str, Any] | str | None"


TerminalStateHandler: TypeAlias = "Callable[[Flow, State, set[State]], State | None]"


class TaskStates(Mapping[Task, State]):
    """The state of every task of a run, made when it is asked for."""

    def __init__(self, board: Board) -> None:
        """Read states from the *board* of a run."""
        self._board = board

    def __getitem__(self, task: Task) -> State:
        """Return the state of *task*."""
        if task not in self._board.plan.numbers:
            raise KeyError(f"{task!r} was not run. A call in a flow adds a copy of a task: look for what it returned")
        return self._board.state(self._board.plan.numbers[task])

    def __iter__(self) -> Iterator[Task]:
        """Iterate over the tasks."""
        return iter(self._board.plan.tasks)

    def __len__(self) -> int:
        """Return how many tasks there are."""
        return len(self._board.plan.tasks)

    def __repr__(self) -> str:
        """Show the number of tasks."""
        return f"<states of {len(self)} tasks>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a plain dictionary."""
        return dict, (list(self.items()),)


def run_flow(
    flow: "Flow", run: FlowRun, executor: ExecutorChoice, context: Mapping[str, Any] | None, state: State | None,
    task_states: Mapping[Task, State] | None, task_contexts: Mapping[Task, Mapping[str, Any]] | None,
    *, keep_values: bool,
) -> State:  # fmt: skip
    """Run *flow* once, in the way that `Flow.run` was asked to, and return its final state."""
    begun = state if state is not None else Pending()
    if begun.is_terminal():
        return begun
    pool, remote = open_executor(executor if executor is not None else flow.executor)
    of_tasks, of_flows = narration.observers(watched=bool(task_observers := calls.task_run_observers()))
    task_observers, flow_observers = [*task_observers, *of_tasks], [*calls.flow_run_observers(), *of_flows]
    values = run_values(run, context or {})
    redaction.hide(values.get("secrets"))  # a task may take them out of its context, and ask nobody
    result, checkpointing = result_of(flow)
    setup = Setup(
        run=run, frame=Frame(values, current(), RUN_LAZY), values=values, slugs=lambda: flow.slugs,
        observers=task_observers, mourners=[narration.tell_of_failure], propose=calls.proposer(),
        wrapped=calls.task_wrapper() is not None, remote=remote, result=result, checkpointing=checkpointing,
        task_contexts=task_contexts, keeps_values=keep_values, approve=_approve,
    )  # fmt: skip
    board = Board(flow.compile(), setup)
    parameters = flow.parameters() if run.parameters else ()
    given: dict[Task, State] = {one: Success(SUCCEEDED, run.parameters[one.name]) for one in parameters}
    for task, known in {**given, **(task_states or {})}.items():
        if task not in board.plan.numbers:
            raise errors.UnknownTaskError(f'task_states names {task!r}, which is not in flow "{flow.name}"')
        board.preset(board.plan.numbers[task], known)

    def move(old: State, new: State) -> State:
        new = asked(flow.state_handlers, flow, old, new)
        for tell in flow_observers:
            tell(run, old, new)
        return new

    running = move(begun, Running("Running flow."))
    try:
        with rare_collections():
            final = _drive(flow, board, pool) if running.is_running() else running
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        move(running, Cancelled(INTERRUPTED) if interrupted else unreadable(f'Flow "{flow.name}"', error))
        raise
    return move(running, final)


def _drive(flow: "Flow", board: Board, pool: "AbstractContextManager[futures.Executor | None]") -> State:
    token = active_flow.set(None)
    try:
        with pool as opened:
            Driver(board, opened).run()
            if (bring := getattr(opened, "bring", None)) is not None:
                bring(board.holders())
    except signals.ENDRUN as signal:
        return signal.state
    finally:
        active_flow.reset(token)
    return _settled(flow, final_state(flow, board))


def _settled(flow: "Flow", state: State) -> State:
    """Return *state*, or what the flow's terminal state handler puts in its place, with the states of all tasks."""
    if (handler := flow.terminal_state_handler) is None:
        return state
    reference = [state.result[task] for task in flow.reference_tasks()]
    ends = {child for one in reference for child in (one.map_states if isinstance(one, Mapped) else (one,))}
    new = asked([lambda _, _old, end: handler(flow, end, ends)], flow, state, state, what="The terminal state handler")
    new.result = new.result if new.result is not None else state.result
    return new


def final_state(flow: "Flow", board: Board) -> State:
    """Return how a flow run ended, from its reference tasks: failed if any of them has."""
    states = TaskStates(board)
    if board.ended.count(CLEAN) == len(board.ended):
        return Success("All reference tasks succeeded.", states)
    if not all(ended in {CLEAN, ODD} for ended, uses in zip(board.ended, board.plan.uses, strict=True) if not uses):
        return Running("Flow run in progress: terminal tasks are incomplete.", states)
    reference = [child for task in flow.reference_tasks() for child in odd_children(states[task])]
    if any(state.is_failed() for state in reference):
        return Failed("Some reference tasks failed.", states)
    if all(state.is_successful() for state in reference):
        return Success("All reference tasks succeeded.", states)
    return Success("No reference tasks failed.", states)


def open_executor(choice: ExecutorChoice) -> "tuple[AbstractContextManager[futures.Executor | None], bool]":
    """Return the context that opens an executor, and whether its calls cross a process boundary.

    A pool of the caller's own counts as remote unless it is a ThreadPoolExecutor, and stays open afterwards.
    """
    if isinstance(choice, futures.Executor):
        if isinstance(choice, futures.ProcessPoolExecutor):
            from penstock.executors.by_value import ByValue

            choice = ByValue(choice)
        return nullcontext(choice), not isinstance(choice, futures.ThreadPoolExecutor)
    if choice is None and settings.get().executor == {"type": "in-process"}:
        return nullcontext(), False  # the kernel's own, which a small run need not look up
    from penstock.executors import Executor

    executor = Executor.resolve(choice) if choice is not None else Executor.configured()
    return executor.open(), executor.remote


def result_of(flow: "Flow") -> "tuple[Result | None, bool]":
    """Return where the values of the flow's tasks go: the flow's result, its storage's, the settings', or nowhere."""
    chosen = settings.get()
    if not chosen.flows.checkpointing:
        return None, False
    wanted: Any = flow.result or (flow.storage.default_result() if flow.storage is not None else None)
    if wanted is None and chosen.result is None:
        return None, True
    from penstock.results import Result

    return Result.resolve(wanted) if wanted is not None else Result.configured(), True


def check_parameters(flow: "Flow", given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run: given ones validated, defaults filled in.

    Raises ParameterError for a missing, an unknown or an ill-typed one.
    """
    known = {parameter.name: parameter for parameter in flow.parameters()}
    check_names(flow.name, known, given, "flow.run({}=...)")
    return {name: one.validate(given[name]) if name in given else one.default for name, one in known.items()}


def _approve(name: str) -> bool:
    """Ask on the terminal, if there is one, whether a paused task may go on."""
    asks = sys.stdin is not None and sys.stdin.isatty()
    return asks and input(f"{name} is paused; enter y to let it go on: ").strip().lower() in {"y", "yes"}
