"""How the tasks of a run have ended so far: their values, a byte for each, and a state where one is needed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from penstock.context import Frame
from penstock.edges import MAPPED, Edge
from penstock.engine.frames import TaskFrame
from penstock.engine.plan import Plan
from penstock.engine.runs import TaskRun
from penstock.engine.setup import Setup
from penstock.engine.work import SUCCEEDED
from penstock.states import Mapped, Pending, State, Success

WAITING, CLEAN, ODD, HELD = range(4)
"""What is known of a task: not begun; a plain success; ended otherwise; begun, or held back, and not yet ended."""


class Board:
    """The arrays of one run, by task number. `values` goes on with the constants of the plan."""

    __slots__ = ("ended", "plan", "setup", "states", "values")

    def __init__(self, plan: Plan, setup: Setup) -> None:
        """Begin with every task waiting."""
        self.plan: Plan = plan
        self.setup: Setup = setup
        self.values: list[Any] = [None] * len(plan.tasks) + plan.constants
        self.ended: bytearray = bytearray(len(plan.tasks))
        self.states: dict[int, State] = {}

    def preset(self, number: int, value: Any) -> None:
        """End task *number* with *value* before the run begins."""
        self.values[number] = value
        self.ended[number] = CLEAN

    def state(self, number: int) -> State:
        """Return the state of a task, made now unless there was a reason to make it before."""
        known = self.states.get(number)
        if known is None:
            clean = self.ended[number] == CLEAN
            known = self.states[number] = Success(SUCCEEDED, self.values[number]) if clean else Pending("Task not run.")
        return known

    def is_clean_above(self, number: int) -> bool:
        """Return whether everything that a task waits for was a plain success."""
        return all(self.ended[other] == CLEAN for other in self.plan.upstream(number))

    def is_waiting_above(self, number: int) -> bool:
        """Return whether something that a task waits for has not ended."""
        return any(self.ended[other] in (WAITING, HELD) for other in self.plan.upstream(number))

    def is_successful(self, position: int) -> bool:
        """Return whether the value at *position* is a constant or that of a task that has succeeded."""
        return position >= len(self.plan.tasks) or self.ended[position] == CLEAN or self.state(position).is_successful()

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
            *((other, None, mark) for other, mark in plan.marked_after(number)),
        ]
        return {
            Edge(plan.tasks[other], task, key, mapped=bool(mark & MAPPED)): self._seen(
                other, mark, origins[other][child] if child is not None and other in origins else child
            )
            for other, key, mark in ends
            if other < len(plan.tasks)
        }

    def _seen(self, number: int, mark: int, child: int | None) -> State:
        state = self.state(number)
        if mark & MAPPED and child is not None and isinstance(state, Mapped):
            own: State = state.map_states[child]
            return own
        return state

    def identify(self, number: int) -> tuple[str, str, frozenset[str]]:
        """Return name, slug and tags of a task."""
        task = self.plan.tasks[number]
        return task.name, self.setup.slugs()[task], task.options.tags

    def frame(self, number: int, child: int | None = None, attempt: int = 1) -> Frame:
        """Return the context of a task run."""
        return TaskFrame(self.setup.frame, self, number, child, attempt)

    def task_run(self, number: int, child: int | None, attempt: int) -> TaskRun:
        """Return a task run as observers get it."""
        return TaskRun(self.setup.run, *self.identify(number), child, attempt)
