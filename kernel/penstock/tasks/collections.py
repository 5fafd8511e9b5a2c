"""Collections that hold tasks: `total([a, b])` becomes one task that gathers the values of both."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.tasks.base import Task
from penstock.tasks.signatures import Inputs

if TYPE_CHECKING:
    from penstock.flow_graph import FlowGraph

SIMPLE: Final = frozenset({int, str, float, bool, bytes, complex, type(None)})
"""Types whose values cannot hold a task; most constants are of one of them."""


def _values(**values: Any) -> list[Any]:
    return list(values.values())


def _list(values: list[Any]) -> list[Any]:
    return values


_BUILDERS: Final[dict[type, Callable[[list[Any]], Any]]] = {list: _list, tuple: tuple, set: set}


class Gather(Task):
    """Builds a list, tuple, set or dict of the values of its upstream tasks."""

    def __init__(self, kind: type, keys: list[Any] | None = None) -> None:
        """Gather into *kind*, under *keys* if it is a dict."""
        super().__init__(name=kind.__name__.title())
        self.kind: type = kind
        self.keys: list[Any] | None = keys
        self._inputs = Inputs(_values, "a collection of tasks")

    def run(self, **values: Any) -> Any:
        """Return the collection."""
        given = list(values.values())
        if self.keys is not None:
            return dict(zip(self.keys, given, strict=True))
        return _BUILDERS[self.kind](given)


def holds_task(value: Any, _above: frozenset[int] = frozenset()) -> bool:
    """Return whether *value* is a task or a list, tuple, set or dict with a task in it."""
    if type(value) in SIMPLE:
        return False
    if isinstance(value, Task):
        return True
    if type(value) not in (list, tuple, set, dict) or id(value) in _above:
        return False
    inside = value.values() if isinstance(value, dict) else value
    if SIMPLE.issuperset(map(type, inside)):
        return False
    above = _above | {id(value)}
    return any(holds_task(item, above) for item in inside)


def as_input(value: Any, flow: "FlowGraph") -> Any:
    """Return *value*, or the task in *flow* that gathers it if it is a collection with tasks in it."""
    if isinstance(value, Task) or not holds_task(value):
        return value
    items: Mapping[Any, Any] = value if isinstance(value, dict) else dict(enumerate(value))
    gather = Gather(type(value), list(items) if isinstance(value, dict) else None)
    names = tuple(f"item_{position}" for position in range(len(items)))
    gathered = tuple(as_input(item, flow) for item in items.values())
    flow._bind(gather, names, gathered, None, False)  # noqa: SLF001, FBT003 - the graph's own two halves
    return gather
