"""Mapped tasks: one value per child in a list, and a state object only for a child that is not a plain success."""

from collections import deque
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.edges import FLATTENED, MAPPED
from penstock.engine.work import SUCCEEDED, Batch, is_plain
from penstock.states import Mapped, Pending, State, Success

if TYPE_CHECKING:
    from penstock.engine.board import Board


Origins: TypeAlias = dict[int, list[int]]
"""For a mapped task whose children's lists are flattened, by its number: which child each item comes from."""


@dataclass(slots=True, eq=False, repr=False)
class Children(Sequence[State]):
    """The states of a mapped task's children, made when they are asked for of their values.

    States of those that are not plain successes are in `odd`.
    """

    values: list[Any]
    odd: dict[int, State]
    pending: bytearray | None

    def __len__(self) -> int:
        """Return how many children there are."""
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        """Return a child's state; for a slice, a list of states."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        state = self.odd.get(position)
        if state is None and self.pending is not None and self.pending[position]:
            return Pending("Task not run.")
        return state if state is not None else Success(SUCCEEDED, self.values[position])

    def __repr__(self) -> str:
        """Show the number of children."""
        return f"<states of {len(self)} children>"


@dataclass(eq=False, repr=False)
class Mapping:
    """A mapped task that is under way: its inputs, what its children gave, and which are left.

    A mapping may *follow* others that are under way: then child *i* is ready as soon as child *i* of each has ended.
    """

    number: int
    arguments: list[Any]
    mapped: list[bool]
    width: int
    origins: Origins = field(default_factory=dict)
    clean: bool = field(kw_only=True)
    """Whether no child needs to ask what is not under way."""
    above: "list[Mapping]" = field(default_factory=list, init=False)
    followers: "list[Mapping]" = field(default_factory=list, init=False)
    _next: int = field(default=0, init=False)
    _left_above: bytearray | None = field(default=None, init=False)
    _ready: deque[int] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        """Begin with every child waiting."""
        self.left: int = self.width
        self.values: list[Any] = [None] * self.width
        self.pending: bytearray = bytearray(b"\1") * self.width
        self.children: Children = Children(self.values, {}, self.pending)

    def inputs(self, child: int) -> tuple[Any, ...]:
        """Return the arguments of a child."""
        return tuple([one[child] if mapped else one for one, mapped in zip(self.arguments, self.mapped, strict=True)])

    def batch(self, children: Sequence[int]) -> Batch | None:
        """Return the calls of *children*, or None if one of them has ended or follows what was no plain success."""
        clean = self.clean and (not self.above or all(map(self.is_clean_above, children)))
        if not (clean and all(_items(self.pending, children))):
            return None
        together = zip(self.arguments, self.mapped, strict=True)
        return Batch(children, [_items(one, children) if mapped else one for one, mapped in together], self.mapped)

    # which children may start

    def follow(self, above: "list[Mapping]") -> None:
        """Let children wait for those of the mappings *above*."""
        self.above = above
        for mapping in above:
            mapping.followers.append(self)
        self.wait()

    def wait(self) -> None:
        """Work out for how many children above each child waits; one that is held has begun."""
        self._ready.clear()
        left = self._left_above = bytearray([len(self.above)]) * self.width
        for mapping in self.above:
            for child in range(self.width) if mapping.left < mapping.width else ():
                if not mapping.pending[child]:
                    left[child] -= 1
        self._ready.extend(n for n, on in enumerate(self.pending) if on and not left[n] and n not in self.children.odd)

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
        return self.clean and (not self.above or all(mapping.ended_cleanly(child) for mapping in self.above))

    def ended_cleanly(self, child: int) -> bool:
        """Return whether a child has ended as a plain success."""
        return not self.pending[child] and child not in self.children.odd

    # what became of them

    def end(self, child: int, state: State) -> None:
        """Take up the terminal state of a child."""
        self.values[child] = state.result
        self.children.odd.pop(child, None)
        if not is_plain(state):
            self.children.odd[child] = state
        self.pending[child] = 0
        self.left -= 1

    def end_all(self, children: Sequence[int], values: Sequence[Any]) -> None:
        """Take up that *children* have ended as plain successes with *values*."""
        if isinstance(children, range):
            self.values[children.start : children.stop] = values
            self.pending[children.start : children.stop] = bytes(len(children))
        else:
            for child, value in zip(children, values, strict=True):
                self.values[child], self.pending[child] = value, 0
                self.children.odd.pop(child, None)
        self.left -= len(children)

    def end_plainly(self, children: range) -> None:
        """Take up that *children*, which are called now with nothing between, end as plain successes."""
        self.pending[children.start : children.stop] = bytes(len(children))
        self.left -= len(children)

    def reopen(self, child: int) -> None:
        """Take up that a child of these has raised: it has not ended."""
        self.pending[child] = 1
        self.left += 1

    def let_go(self, child: int) -> None:
        """Drop the value of a child that nobody needs any more: every follower has ended its own."""
        if all(child >= follower.width or not follower.pending[child] for follower in self.followers):
            self.values[child] = None

    def state(self) -> Mapped:
        """Return the state of the mapped task."""
        if not self.left:
            self.children.pending = None
        return Mapped("Mapped task has run.", self.values, map_states=self.children)


def _items(value: Any, children: Sequence[int]) -> Any:
    """Return the items of *children*; what is one's own may take no slices."""
    if isinstance(children, range) and type(value) in {list, tuple, range, bytearray}:
        return value[children.start : children.stop]
    return [value[child] for child in children]


def odd_children(state: State) -> Iterable[State]:
    """Return the children's states that may be other than plain successes, for a mapped task; else the state itself."""
    if not isinstance(state, Mapped):
        return (state,)
    return state.map_states.odd.values() if isinstance(state.map_states, Children) else state.map_states


def passed(board: "Board", number: int, mark: int, origins: Origins) -> Any:
    """Return the value at position *number* as it passes along an edge marked *mark*; notes *origins* of its items.

    Who takes the list of a mapped task whole may do with it as it likes: it is a copy.
    """
    value, state = board.values[number], board.states.get(number)
    if not isinstance(state, Mapped):
        return flattened(value) if mark & FLATTENED else value
    if mark & FLATTENED:
        items, origins[number] = flattened_children(state)
        return items
    return value if mark & MAPPED else copy(value)


def flattened(value: Any) -> Any:
    """Return *value* with one level of nesting taken out, or as it is if it has none."""
    try:
        return list(chain.from_iterable(value))
    except TypeError:
        return value


def flattened_children(state: Mapped) -> tuple[list[Any], list[int]]:
    """Return the items of all children's lists, and the child of each; what is no list, or failed, is one item."""
    items: list[Any] = []
    origins: list[int] = []
    for index, child in enumerate(state.map_states):
        several = child.is_successful() and not child.is_skipped() and has_items(child.result)
        items.extend(child.result if several else [child.result])
        origins.extend([index] * (len(items) - len(origins)))
    return items, origins


def has_items(value: Any) -> bool:
    """Return whether a task can be mapped over *value*: whether it has a length and is indexed by numbers."""
    return hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, dict)
