"""Blocks inside a flow's own block: what is added in one is looked at when the block ends.

A flow keeps its tasks in the order in which they were added, so the tasks of a block are those added since it began:
adding a task costs nothing more inside a block.
"""

from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from penstock import errors
from penstock.context import active_flow, open_blocks, within_blocks
from penstock.edges import Binding
from penstock.parameters import Parameter
from penstock.tasks import Constant, Task

if TYPE_CHECKING:
    from contextvars import Token

    from penstock.flow import Flow


class Block:
    """A block of a flow. A subclass calls `_open` and `_close` in `__enter__` and `__exit__`."""

    maps: ClassVar[bool] = False
    """Whether what is added inside is mapped as a whole."""

    def __init__(self, flow: "Flow | None" = None) -> None:
        """Belong to *flow*, or to the one that is active when the block is entered."""
        self.flow: Any = flow
        self._before = 0
        self._nested: set[Task] = set()
        self._tokens: list[tuple[Token[Any], Token[tuple[Any, ...]]]] = []

    def _choose_flow(self) -> Any:
        flow = self.flow if self.flow is not None else active_flow.get()
        if flow is None:
            raise errors.FlowError(f"{self!r} stands outside of a flow; put it inside `with Flow(...):` or pass flow=")
        self.flow = within_blocks(flow)
        return flow

    def _open(self) -> None:
        """Begin: what is added to the flow from now on is the block's."""
        flow = self._choose_flow()
        self._before, self._nested = len(flow._bindings), set()  # noqa: SLF001 - the graph's own two halves
        self._tokens.append((active_flow.set(flow), open_blocks.set((*open_blocks.get(), self))))

    def _close(self) -> list[Task]:
        """End, and return the tasks that were added, but for parameters, constants and those of blocks like this."""
        flow_token, blocks_token = self._tokens.pop()
        active_flow.reset(flow_token)
        open_blocks.reset(blocks_token)
        bindings = self.flow._bindings  # noqa: SLF001 - the graph's own two halves
        added = list(islice(reversed(bindings), len(bindings) - self._before))[::-1]
        for around in reversed(open_blocks.get()):
            if around.maps or type(around) is type(self):  # a mapped function's tasks all count for what is around it
                around._nested.update(() if around.maps else added)  # noqa: SLF001 - of this class
                break
        return [t for t in added if t not in self._nested and not isinstance(t, (Parameter, Constant))]

    def _first(self, inside: list[Task]) -> list[Task]:
        """Return those of the tasks *inside* that wait for no other of them."""
        together = set(inside)
        return [task for task in inside if together.isdisjoint(self.upstream(task))]

    def upstream(self, task: Task) -> set[Task]:
        """Return the tasks that *task* waits for."""
        binding = self.flow._bindings[task] or Binding()  # noqa: SLF001 - the graph's own two halves
        return {value for value in (*binding.values, *binding.after) if isinstance(value, Task)}
