"""Mapped tasks: one value per child in a list, and a state object only for a child that is not a plain success."""

from collections import deque
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
    """A mapped task that is under way: its inputs, what its children gave, and which are left.

    A mapping may *follow* others that are under way: then child *i* is ready as soon as child *i* of each has ended.
    """

    __slots__ = (
        "_left_above",
        "_next",
        "_ready",
        "above",
        "arguments",
        "children",
        "clean",
        "followers",
        "left",
        "mapped",
        "number",
        "pending",
        "seconds_each",
        "values",
        "width",
    )

    def __init__(self, number: int, arguments: list[Any], marks: tuple[int, ...], width: int, *, clean: bool) -> None:
        """Map task *number* over *arguments*; *clean* says that no child needs to ask what is not under way."""
        self.number: int = number
        self.arguments: list[Any] = arguments
        self.mapped: list[bool] = [bool(mark & MAPPED) for mark in marks]
        self.width: int = width
        self.clean: bool = clean
        self.values: list[Any] = [None] * width
        self.pending: bytearray = bytearray(b"\1") * width
        self.children: Children = Children(self.values, {}, self.pending)
        self.left: int = width
        self.seconds_each: float | None = None
        self.above: list[Mapping] = []
        self.followers: list[Mapping] = []
        self._next = 0
        self._left_above: bytearray | None = None
        self._ready: deque[int] = deque()

    def inputs(self, child: int) -> tuple[Any, ...]:
        """Return the arguments of a child."""
        return tuple(
            [value[child] if mapped else value for value, mapped in zip(self.arguments, self.mapped, strict=True)]
        )

    # which children may start

    def follow(self, above: "list[Mapping]") -> None:
        """Let children wait for those of the mappings *above*."""
        self.above = above
        for mapping in above:
            mapping.followers.append(self)
        self.wait()

    def wait(self) -> None:
        """Work out for how many children above each child waits."""
        self._ready.clear()
        left = self._left_above = bytearray([len(self.above)]) * self.width
        for mapping in self.above:
            for child in range(self.width) if mapping.left < mapping.width else ():
                if not mapping.pending[child]:
                    left[child] -= 1
        self._ready.extend(child for child in range(self.width) if not left[child] and self.pending[child])

    def release(self, child: int) -> bool:
        """Take up that a mapping above has ended *child*; return whether this made the first child ready."""
        if self._left_above is None or child >= self.width:
            return False
        self._left_above[child] -= 1
        if self._left_above[child] or not self.pending[child]:
            return False
        self._ready.append(child)
        return len(self._ready) == 1

    def waiting(self) -> int:
        """Return how many children are ready and have not been taken."""
        return self.width - self._next if self._left_above is None else len(self._ready)

    def take(self, most: int) -> Sequence[int]:
        """Return up to *most* children that may start, to be started now."""
        if self._left_above is not None:
            return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        taken = range(self._next, min(self._next + most, self.width))
        self._next = taken.stop
        return taken

    def is_clean_above(self, child: int) -> bool:
        """Return whether everything that a child waits for was a plain success."""
        return self.clean and all(mapping.ended_cleanly(child) for mapping in self.above)

    def is_waiting_above(self, child: int) -> bool:
        """Return whether a child of a mapping above has not ended."""
        return any(mapping.pending[child] for mapping in self.above)

    def ended_cleanly(self, child: int) -> bool:
        """Return whether a child has ended as a plain success."""
        return not self.pending[child] and child not in self.children.odd

    # what became of them

    def end(self, child: int, state: State) -> None:
        """Take up the terminal state of a child."""
        self.values[child] = state.result
        if type(state) is not Success or state.location is not None:
            self.children.odd[child] = state
        else:
            self.children.odd.pop(child, None)
        self.pending[child] = 0
        self.left -= 1

    def let_go(self, child: int) -> None:
        """Drop the value of a child that nobody needs any more: every follower has ended its own."""
        if all(child >= follower.width or not follower.pending[child] for follower in self.followers):
            self.values[child] = None

    def is_clean(self) -> bool:
        """Return whether every child was a success that needs no state object of its own."""
        return not self.children.odd

    def state(self) -> Mapped:
        """Return the state of the mapped task."""
        if not self.left:
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
