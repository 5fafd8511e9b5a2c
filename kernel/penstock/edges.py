"""Dependencies between tasks, and the marks that say how a value passes along one."""

import keyword
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from penstock import errors

if TYPE_CHECKING:
    from penstock.tasks import Task


@dataclass(frozen=True, slots=True, repr=False)
class Edge:
    """The downstream task waits for the upstream one and, with a key, takes its value as that input."""

    upstream_task: "Task"
    downstream_task: "Task"
    key: str | None = None
    mapped: bool = field(default=False, kw_only=True)
    flattened: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Raise FlowError for a task that waits for itself or a key that is no argument name."""
        if self.upstream_task is self.downstream_task:
            raise errors.CycleError(f"{self.upstream_task!r} cannot depend on itself")
        if self.key is not None and (not self.key.isidentifier() or keyword.iskeyword(self.key)):
            message = f"{self.key!r} cannot be an input of {self.downstream_task!r}: it is not a valid argument name"
            raise errors.FlowError(message)

    @property
    def tasks(self) -> "set[Task]":
        """Both ends."""
        return {self.upstream_task, self.downstream_task}

    def __repr__(self) -> str:
        """Show both ends and the key."""
        key = f" as {self.key}" if self.key else ""
        return f"<Edge: {self.upstream_task.name} to {self.downstream_task.name}{key}>"


class EdgeAnnotation:
    """A value with the marks of the edge it will pass along; None leaves a mark to the call."""

    __slots__ = ("flattened", "mapped", "value")

    def __init__(self, value: Any, *, mapped: bool | None = None, flattened: bool = False) -> None:
        """Mark *value*; a value that is marked already keeps its other marks."""
        inner = value if isinstance(value, EdgeAnnotation) else None
        self.value: Any = inner.value if inner else value
        self.mapped: bool | None = mapped if mapped is not None else inner.mapped if inner else None
        self.flattened: bool = flattened or bool(inner and inner.flattened)


def mapped(value: Any) -> EdgeAnnotation:
    """Let a task run once for each item of *value*."""
    return EdgeAnnotation(value, mapped=True)


def unmapped(value: Any) -> EdgeAnnotation:
    """Give *value* whole to every child of a mapped task."""
    return EdgeAnnotation(value, mapped=False)


def flatten(value: Any) -> EdgeAnnotation:
    """Take one level of nesting out of *value* before it passes."""
    return EdgeAnnotation(value, flattened=True)


End: TypeAlias = tuple[Any, str | None, int]
"""A value of a binding with its key, None where it is only waited for, and the marks that say how it passes."""
MAPPED: Final = 1
FLATTENED: Final = 2
WHOLE: Final = 4
"""Set inside `apply_map` where a value is marked `unmapped`, which is not the default there."""


@dataclass(slots=True, eq=False)
class Binding:
    """What one task of a flow is bound to, as the call wrote it down; edges are derived from it when asked for.

    `values` holds tasks and constants, under `keys`, or in the order of the task's inputs if `keys` is None; `after`
    holds the tasks that are only waited for. `marks` and `after_marks` say for each how it passes (MAPPED,
    FLATTENED), or are None where every value passes plainly.
    """

    keys: tuple[str, ...] | None = None
    values: tuple[Any, ...] = ()
    marks: tuple[int, ...] | None = None
    after: "tuple[Task, ...]" = ()
    after_marks: tuple[int, ...] | None = None

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the key of each value, for a task whose inputs are *names*."""
        return names[: len(self.values)] if self.keys is None else self.keys

    def ends(self, names: tuple[str, ...]) -> "list[End]":
        """Return each value with its key and mark, tasks that are only waited for last and without a key."""
        marks, after_marks = self.marks or (0,) * len(self.values), self.after_marks or (0,) * len(self.after)
        return [
            *zip(self.values, self.names(names) if self.values else (), marks, strict=True),
            *((task, None, mark) for task, mark in zip(self.after, after_marks, strict=True)),
        ]

    @classmethod
    def of(cls, ends: "list[End]", keys: tuple[str, ...] | None = ()) -> "Binding":
        """Return the binding whose `ends` are *ends*; *keys* as None says that inputs are in the task's own order."""
        values, names, marks = _columns([end for end in ends if end[1] is not None])
        after, _, after_marks = _columns([end for end in ends if end[1] is None])
        keys = keys if keys is None else names
        return cls(keys, values, marks if any(marks) else None, after, after_marks if any(after_marks) else None)

    def is_mapped(self) -> bool:
        """Return whether the task runs once for each item of an input."""
        return any(mark & MAPPED for mark in (*(self.marks or ()), *(self.after_marks or ())))

    def joined(self, other: "Binding", names: tuple[str, ...]) -> "Binding":
        """Return this binding with *other* added, for a task whose inputs are *names*."""
        if not self.values and not self.after:
            return other
        return Binding.of([*self.ends(names), *other.ends(names)], self.keys if not other.values else ())


def _columns(ends: "list[End]") -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[int, ...]]:
    return tuple(zip(*ends, strict=True)) if ends else ((), (), ())  # type: ignore[return-value]  # of three
