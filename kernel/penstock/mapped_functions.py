"""`apply_map`: a function that adds several tasks, mapped as one."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from penstock import errors
from penstock.blocks import Block
from penstock.context import open_blocks
from penstock.edges import MAPPED, WHOLE, Binding, EdgeAnnotation
from penstock.tasks import Constant, Task

if TYPE_CHECKING:
    from penstock.flow import Flow

R = TypeVar("R")


def apply_map(func: Callable[..., R], *args: Any, flow: "Flow | None" = None, **kwargs: Any) -> R:
    """Call *func*, which adds tasks, once, and let each task it adds run once for each item of the arguments.

    Arguments are tasks, sequences, or either marked with `unmapped` or `flatten`; *func* gets tasks for those that are
    mapped over. Tasks that it adds depend on all arguments, so that they have one length. With *flow* it gets that as
    `flow=`. Returns what *func* returns. Raises TypeError for what cannot be mapped over, FlowError for `.map` or
    another `apply_map` inside.
    """
    for value in (*args, *kwargs.values()):
        _check(value)
    block = _Region(func, flow)
    given = [block.take(value) for value in args]
    named = {name: block.take(value) for name, value in kwargs.items()}
    if flow is not None:
        named["flow"] = flow
    with block:
        return func(*given, **named)


def _check(value: Any) -> None:
    given = value if isinstance(value, EdgeAnnotation) else EdgeAnnotation(value)
    if given.mapped is not False and not isinstance(given.value, (Task, Sequence)):
        raise TypeError(f"apply_map cannot map over {given.value!r}, which is no list; to pass it whole: unmapped(...)")


class _Region(Block):
    """The tasks that a mapped function adds."""

    maps: ClassVar[bool] = True

    def __init__(self, func: Callable[..., Any], flow: "Flow | None") -> None:
        super().__init__(flow)
        self._func = func
        self._marks: dict[Task, int] = {}
        if any(block.maps for block in open_blocks.get()):
            message = "A function given to apply_map is mapped as a whole; inside it, call functions without apply_map"
            raise errors.FlowError(message)
        self._choose_flow()

    def take(self, value: Any) -> Any:
        """Return an argument as the function gets it: a task, or a constant that is passed whole."""
        inner, mark = self.flow._marked_one(value, mapped=True)  # noqa: SLF001 - the graph's own two halves
        if not isinstance(inner, Task):
            if not mark & MAPPED:
                return inner
            inner = Constant(inner)
        self._marks[inner] = mark
        return self.flow.add_task(inner)

    def __enter__(self) -> None:
        self._open()

    def __exit__(self, *exception: object) -> None:
        inside = self._close()
        bindings: dict[Task, Binding | None] = self.flow._bindings  # noqa: SLF001 - the graph's own two halves
        first = set(self._first(inside))
        for task in inside:
            binding = bindings[task] or Binding()
            ends = [(one, key, self._mark(one, mark)) for one, key, mark in binding.ends(task.signature.names)]
            if task in first:
                above = self.upstream(task)
                ends += [(one, None, mark) for one, mark in self._marks.items() if one not in above]
            bindings[task] = Binding.of(ends, binding.keys)

    def _mark(self, value: Any, mark: int) -> int:
        """Return how a value passes: mapped over, unless it is marked or was given to be passed whole."""
        return self._marks.get(value, MAPPED) | mark if isinstance(value, Task) and not mark & WHOLE else mark & ~WHOLE

    def __repr__(self) -> str:
        return f"apply_map({getattr(self._func, '__name__', self._func)})"
