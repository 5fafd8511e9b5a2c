"""Collections that hold tasks: `total([a, b])` becomes one task that gathers the values of both."""

from typing import TYPE_CHECKING, Any, Final

from penstock import errors
from penstock.context import active_flow
from penstock.edges import EdgeAnnotation
from penstock.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from penstock.flow_graph import FlowGraph
    from penstock.tasks.options import TaskArguments

SIMPLE: Final = frozenset({int, str, float, bool, bytes, complex, type(None)})
"""Types whose values cannot hold a task; most constants are of one of them."""


class Gather(Task):
    """Builds a list, tuple, set or dict of the values of its upstream tasks."""

    def __init__(self, kind: type, keys: list[Any] | None = None) -> None:
        """Gather into *kind*, a dict under *keys* or, without them, under what its first upstream task gives."""
        super().__init__(name=kind.__name__.title())
        self.kind: type = kind
        self.keys: list[Any] | None = keys

    def run(self, **values: Any) -> Any:
        """Return the collection."""
        given = list(values.values())
        if self.kind is not dict:
            return self.kind(given)
        keys, items = (self.keys, given) if self.keys is not None else given
        return dict(zip(keys, items, strict=True))


class Constant(Task):
    """A value as a task, for where a flow needs a node: `as_task(5)`."""

    def __init__(self, value: Any, name: str | None = None, **options: "Unpack[TaskArguments]") -> None:
        """Stand for *value*, by which it is named if that is short."""
        text = repr(value)
        super().__init__(name=name or (text if len(text) <= _SHORT else f"Constant[{type(value).__name__}]"), **options)
        self.value: Any = value

    def run(self) -> Any:
        """Return the value."""
        return self.value


_SHORT: Final = 8
_KINDS: Final = (list, tuple, set, dict)


def holds_task(value: Any) -> bool:
    """Return whether *value* is a task or a list, tuple, set or dict with a task or a marked value in it."""
    if type(value) in SIMPLE:
        return False
    unread, seen = [value], set()
    while unread:
        item = unread.pop()
        if isinstance(item, (Task, EdgeAnnotation)):
            return True
        if not isinstance(item, _KINDS) or id(item) in seen:
            continue
        seen.add(id(item))
        parts: tuple[Iterable[Any], ...] = (item, item.values()) if isinstance(item, dict) else (item,)
        unread.extend(inner for part in parts if not SIMPLE.issuperset(map(type, part)) for inner in part)
    return False


def as_input(value: Any, flow: "FlowGraph", _above: tuple[int, ...] = ()) -> Any:
    """Return *value*, or the task in *flow* that gathers it if it is a collection with tasks in it.

    Raises FlowError for a collection with tasks that holds itself.
    """
    if isinstance(value, (Task, EdgeAnnotation)) or not holds_task(value):
        return value
    if id(value) in _above:
        message = f'A {type(value).__name__} given to a task of flow "{flow.name}" holds itself; take it out of itself'
        raise errors.FlowError(message)
    kind = next(kind for kind in _KINDS if isinstance(value, kind))
    keys, items = (list(value), list(value.values())) if isinstance(value, dict) else (None, list(value))
    if holds_task(keys):
        keys, items = None, [keys, items]
    gathered = tuple([as_input(item, flow, (*_above, id(value))) for item in items])
    names = tuple([f"item_{position}" for position in range(len(gathered))])
    gather = Gather(kind, keys)
    flow._bind(gather, names, gathered, None, False)  # noqa: SLF001, FBT003 - the graph's own two halves
    return gather


def as_task(value: Any, flow: "FlowGraph | None" = None) -> Task:
    """Return *value* as a task: itself, a Constant, or what gathers a collection of tasks in *flow*.

    *flow* is the active one by default. Raises FlowError if a collection holds tasks and there is no flow.
    """
    value = value.value if isinstance(value, EdgeAnnotation) else value
    if isinstance(value, Task):
        return value
    if not holds_task(value):
        return Constant(value)
    where = flow if flow is not None else active_flow.get()
    if where is None:
        message = f"{value!r} holds tasks but stands outside of a flow; use it inside `with Flow(...):` or pass flow="
        raise errors.FlowError(message)
    gathered: Task = as_input(value, where)
    return gathered
