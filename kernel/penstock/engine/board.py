"""How the tasks of a run have ended so far: their values, a byte for each, and a state where one is needed."""

from collections.abc import Mapping, Sequence
from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from penstock.context import Frame
from penstock.edges import MAPPED, Edge
from penstock.engine.frames import TaskFrame
from penstock.engine.plan import Plan
from penstock.engine.runs import TaskRun
from penstock.engine.setup import Setup
from penstock.engine.work import SUCCEEDED, Extra, called, is_plain, task_returned
from penstock.states import Mapped, Pending, Resume, State, Success
from penstock.tasks import Task

if TYPE_CHECKING:
    from penstock.engine import mapping

WAITING: Final = 0
"""A task that has not begun."""
CLEAN: Final = 1
"""A task that ended as a plain success."""
ODD: Final = 2
"""A task that ended otherwise: its state says how."""
HELD: Final = 3
"""A task that has begun and has not ended."""


class Board:
    """The arrays of one run, by task number. `values` goes on with the constants of the plan."""

    __slots__ = ("ended", "maps", "names", "plan", "setup", "states", "values")

    def __init__(self, plan: Plan, setup: Setup) -> None:
        """Begin with every task waiting."""
        self.plan: Plan = plan
        self.setup: Setup = setup
        self.values: list[Any] = [None] * len(plan.tasks) + plan.constants
        self.ended: bytearray = bytearray(len(plan.tasks))
        self.states: dict[int, State] = {}
        self.maps: dict[int, mapping.Mapping] = {}
        self.names: dict[tuple[int, int | None], str] = {}

    def holders(self) -> list[list[Any] | State]:
        """Return all that holds values: lists, and states, which hold theirs as `result`."""
        mapped = [getattr(state, "map_states", None) for state in self.states.values()]
        children: list[Any] = [one for one in mapped if hasattr(one, "odd")]
        odd = [state for one in children for state in one.odd.values()]
        return [self.values, *[one.values for one in children], *self.states.values(), *odd]

    def preset(self, number: int, state: State) -> None:
        """Let task *number* begin from *state*, which may be its end and stays as it is when its value is let go."""
        self.values[number] = state.result
        if is_plain(state):
            self.ended[number] = CLEAN
            return
        self.states[number] = state = copy(state) if state.is_successful() else state
        if isinstance(state, Mapped):
            self.values[number] = state.result = copy(state.result) or [child.result for child in state.map_states]
        if state.is_terminal() and all(child.is_finished() for child in getattr(state, "map_states", ())):
            self.ended[number] = ODD

    def call(self, number: int) -> Any:
        """Return what the function of a plain task returns for its inputs."""
        plan, values = self.plan, self.values
        given = [copy(values[one]) if one in plan.mapped else values[one] for one in plan.inputs[number]]
        value = called(plan.functions[number], plan.keys[number], given)
        if isinstance(value, Task):
            raise task_returned(plan.tasks[number].name, value)
        return value

    def let_go(self, number: int) -> None:
        """Drop the value of a task that nobody needs any more, or the values of its children."""
        known = self.states.get(number)
        if isinstance(known, Mapped):
            self.values[number][:] = [None] * len(self.values[number])
        elif known is None or known.is_successful():
            self.values[number] = None
            if known is not None:
                known.result = None

    def state(self, number: int) -> State:
        """Return the state of a task, made now unless there was a reason to make it before."""
        known = self.states.get(number)
        if known is None:
            clean = self.ended[number] == CLEAN
            known = self.states[number] = Success(SUCCEEDED, self.values[number]) if clean else Pending("Task not run.")
        return known

    def is_clean_above(self, number: int, *, begun: bool = False) -> bool:
        """Return whether all that a task waits for were plain successes, or with *begun* are mapped and under way."""
        return all(self.ended[other] == CLEAN or (begun and other in self.maps) for other in self.plan.upstream(number))

    def is_successful(self, position: int) -> bool:
        """Return whether the value at *position* is a constant, or of a task that succeeded or is being mapped."""
        if position >= len(self.plan.tasks) or self.ended[position] == CLEAN or position in self.maps:
            return True
        return self.state(position).is_successful()

    def upstream_states(
        self, number: int, child: int | None, origins: Mapping[int, Sequence[int]] = MappingProxyType({})
    ) -> dict[Edge, State]:
        """Return the state at the other end of every edge; for a child, that of its own child of a mapped upstream.

        Where a mapped upstream is flattened, *origins* says for each item which child it comes from.
        """
        plan, task = self.plan, self.plan.tasks[number]
        keys = plan.keys[number] or task.signature.names
        ends: list[tuple[int, str | None, int]] = [
            *((other, key, mark) for (other, mark), key in zip(plan.marked_inputs(number), keys, strict=False)),
            *((other, None, mark) for other, mark in plan.after[number]),
        ]
        return {
            Edge(plan.tasks[other], task, key, mapped=bool(mark & MAPPED)): self._seen(
                other, mark, origins[other][child] if child is not None and other in origins else child
            )
            for other, key, mark in ends
            if other < len(plan.tasks)
        }

    def _seen(self, number: int, mark: int, child: int | None) -> State:
        state = self.maps[number].state() if number in self.maps else self.state(number)
        if mark & MAPPED and child is not None and isinstance(state, Mapped):
            return state.map_states[child]
        return state

    def identify(self, number: int) -> tuple[str, str, frozenset[str]]:
        """Return name, slug and tags of a task."""
        task = self.plan.tasks[number]
        return task.name, self.setup.slugs()[task], task.options.tags

    def added(self, number: int) -> Extra:
        """Return what the context of a task says beside what every context says, or None."""
        known = self.setup.task_contexts.get(self.plan.tasks[number]) if self.setup.task_contexts else None
        if isinstance(self.states.get(number), Resume):
            return {**(known or {}), "resume": True}
        return dict(known) if known else None

    def frame(self, number: int, child: int | None = None, attempt: int = 1) -> Frame:
        """Return the context of a task run."""
        return TaskFrame(self.setup.frame, self, number, child, attempt, self.added(number))

    def task_run(self, number: int, child: int | None, attempt: int) -> TaskRun:
        """Return a task run as observers get it."""
        return TaskRun(self.setup.run, *self.identify(number), child, attempt, self.names.get((number, child)))
