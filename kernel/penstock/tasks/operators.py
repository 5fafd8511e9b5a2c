"""What can be done with a task as if it were its value: `a + b`, `a > 3`, `a["key"]`, `x, y = a`."""

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

if TYPE_CHECKING:
    from penstock.tasks.base import Task
    from penstock.tasks.options import TaskOptions

T = TypeVar("T")
Binary: TypeAlias = Callable[[Any, Any], "Task"]


def _binary(name: str, function: Callable[[Any, Any], Any], *, reflected: bool = False) -> Binary:
    def method(self: Any, other: Any) -> "Task":
        from penstock.tasks.operations import Operation

        return Operation(name, function).bind(*((other, self) if reflected else (self, other)))

    method.__name__, method.__doc__ = name, f"Add a task that applies `{name}` to both values."
    return method


def _and(x: Any, y: Any) -> Any:
    return x and y


def _or(x: Any, y: Any) -> Any:
    return x or y


class Operators:
    """The operators of a task. Each adds a task to the active flow; `==` compares identity, `|` is an order.

    Raises FlowError outside of a flow.
    """

    __slots__ = ()

    name: str
    options: "TaskOptions"

    __contains__: ClassVar[None] = None
    """`x in task` is refused: nothing is known of the value before the flow runs."""

    __add__: ClassVar[Binary] = _binary("Add", operator.add)
    __sub__: ClassVar[Binary] = _binary("Sub", operator.sub)
    __mul__: ClassVar[Binary] = _binary("Mul", operator.mul)
    __truediv__: ClassVar[Binary] = _binary("Div", operator.truediv)
    __floordiv__: ClassVar[Binary] = _binary("FloorDiv", operator.floordiv)
    __mod__: ClassVar[Binary] = _binary("Mod", operator.mod)
    __pow__: ClassVar[Binary] = _binary("Pow", operator.pow)
    __and__: ClassVar[Binary] = _binary("And", _and)
    __gt__: ClassVar[Binary] = _binary("GreaterThan", operator.gt)
    __ge__: ClassVar[Binary] = _binary("GreaterThanOrEqual", operator.ge)
    __lt__: ClassVar[Binary] = _binary("LessThan", operator.lt)
    __le__: ClassVar[Binary] = _binary("LessThanOrEqual", operator.le)
    __radd__: ClassVar[Binary] = _binary("Add", operator.add, reflected=True)
    __rsub__: ClassVar[Binary] = _binary("Sub", operator.sub, reflected=True)
    __rmul__: ClassVar[Binary] = _binary("Mul", operator.mul, reflected=True)
    __rtruediv__: ClassVar[Binary] = _binary("Div", operator.truediv, reflected=True)
    __rfloordiv__: ClassVar[Binary] = _binary("FloorDiv", operator.floordiv, reflected=True)
    __rmod__: ClassVar[Binary] = _binary("Mod", operator.mod, reflected=True)
    __rpow__: ClassVar[Binary] = _binary("Pow", operator.pow, reflected=True)
    __rand__: ClassVar[Binary] = _binary("And", _and, reflected=True)
    is_equal: ClassVar[Binary] = _binary("Equal", operator.eq)
    is_not_equal: ClassVar[Binary] = _binary("NotEqual", operator.ne)
    or_: ClassVar[Binary] = _binary("Or", _or)

    def not_(self) -> "Task":
        """Add a task that negates the value."""
        from penstock.tasks.operations import Not

        return Not().bind(self)

    def __or__(self, other: T) -> T:
        """Let *other* wait for this task, and return it: `a | b | c` is a chain."""
        self.set_dependencies(downstream_tasks=[other])  # type: ignore[attr-defined]  # of Task
        return other

    def __ror__(self, other: Any) -> "Task":
        """Let this task wait for *other*, which may be a list of tasks."""
        waiting: Task = self.set_dependencies(upstream_tasks=[other])  # type: ignore[attr-defined]  # of Task
        return waiting

    def __getitem__(self, key: Any) -> "Task":
        """Add a task that takes the item at *key*; it is kept where this task's own value is."""
        from penstock.tasks.operations import GetItem

        label = key.name if isinstance(key, Operators) else repr(key)
        checkpoint, result = self.options.checkpoint, self.options.result
        return GetItem(name=f"{self.name}[{label}]", checkpoint=checkpoint, result=result).bind(self, key)

    def __iter__(self) -> Iterator["Task"]:
        """Iterate over the task's values, as many as `nout` says: `low, high = bounds()`."""
        if self.options.nout is None:
            how = "Say @task(nout=2) or `-> tuple[int, str]`; to run for each item, use .map(); in a list, write [task]"
            raise TypeError(f"{self!r} cannot be iterated over: how many values it returns is not known. {how}")
        return (self[position] for position in range(self.options.nout))

    def pipe(self, task: Callable[..., T], /, **kwargs: Any) -> T:
        """Call *task* with this one as its first input: `a.pipe(b, y=1).pipe(c)` is `c(b(a, y=1))`."""
        return task(self, **kwargs)
