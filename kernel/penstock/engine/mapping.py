"""Mapped tasks: one value per child in a list, and a state object only for a child that is not a plain success."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, overload

from penstock.edges import FLATTENED, MAPPED
from penstock.engine.work import SUCCEEDED
from penstock.states import Mapped, Pending, State, Success


class Children(Sequence[State]):
    """The states of a mapped task's children, made when they are asked for."""

    __slots__ = ("_values", "odd", "pending")

    def __init__(self, values: list[Any], odd: dict[int, State], pending: bytearray | None = None) -> None:
        """Hold the children's *values*, and the states of those that are not plain successes."""
        self._values = values
        self.odd: dict[int, State] = odd
        self.pending: bytearray | None = pending

    def __len__(self) -> int:
        """Return how many children there are."""
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> State: ...
    @overload
    def __getitem__(self, index: slice) -> list[State]: ...
    def __getitem__(self, index: int | slice) -> State | list[State]:
        """Return a child's state."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        state = self.odd.get(position)
        if state is None and self.pending is not None and self.pending[position]:
            return Pending("Task not run.")
        return state if state is not None else Success(SUCCEEDED, self._values[position])

    def __iter__(self) -> Iterator[State]:
        """Iterate over the children's states."""
        return (self[position] for position in range(len(self)))


class Mapping:
    """A mapped task that is under way: its inputs, what its children gave, and which are left."""

    __slots__ = (
        "arguments",
        "children",
        "clean",
        "left",
        "mapped",
        "next",
        "number",
        "pending",
        "seconds_each",
        "values",
        "width",
    )

    def __init__(self, number: int, arguments: list[Any], marks: tuple[int, ...], width: int, *, clean: bool) -> None:
        """Map task *number* over *arguments*; *clean* says that no child needs to ask its upstream."""
        self.number: int = number
        self.arguments: list[Any] = arguments
        self.mapped: list[bool] = [bool(mark & MAPPED) for mark in marks]
        self.width: int = width
        self.clean: bool = clean
        self.values: list[Any] = [None] * width
        self.pending: bytearray = bytearray(b"\1") * width
        self.children: Children = Children(self.values, {}, self.pending)
        self.left: int = width
        self.next: int = 0
        self.seconds_each: float | None = None

    def inputs(self, child: int) -> tuple[Any, ...]:
        """Return the arguments of a child."""
        return tuple(
            [value[child] if mapped else value for value, mapped in zip(self.arguments, self.mapped, strict=True)]
        )

    def end(self, child: int, state: State) -> None:
        """Take up the terminal state of a child."""
        self.values[child] = state.result
        if type(state) is not Success or state.location is not None:
            self.children.odd[child] = state
        else:
            self.children.odd.pop(child, None)
        self.end_plainly(child)

    def end_plainly(self, child: int) -> None:
        """Take up that a child has ended, its value being there."""
        self.pending[child] = 0
        self.left -= 1

    def is_clean(self) -> bool:
        """Return whether every child was a success that needs no state object of its own."""
        return not self.children.odd

    def state(self) -> Mapped:
        """Return the state of the mapped task, once no child is left."""
        self.children.pending = None
        return Mapped("Mapped task has run.", self.values, map_states=self.children)


def flattened(value: Any) -> list[Any]:
    """Return *value* with one level of nesting taken out; raises TypeError if it has none."""
    return list(chain.from_iterable(value))


def passed(values: list[Any], positions: Sequence[int], marks: tuple[int, ...]) -> list[Any]:
    """Return the inputs at *positions*, flattened where marked; raises TypeError for one that cannot be."""
    return [
        flattened(values[position]) if mark & FLATTENED else values[position]
        for position, mark in zip(positions, marks, strict=True)
    ]
