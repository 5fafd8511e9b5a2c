"""What a running task can ask about itself and its run: `penstock.context.get("flow_name")`.

A context is a stack of frames, one per run and one per task, kept in a context variable: threads and
coroutines see their own. A frame may hold *lazy* values, functions that are called when first asked for,
so that a task which asks for nothing pays for nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Final, TypeVar

F = TypeVar("F")


@dataclass(slots=True, eq=False, repr=False)
class Frame:
    """Values of one level, over those of the level below it; *lazy* functions are called with the frame they serve."""

    values: dict[str, Any]
    below: "Frame | None" = None
    lazy: Mapping[str, Callable[["Frame"], Any]] | None = None

    def find(self, key: str) -> Any:
        """Return the nearest value of *key*, or raise KeyError."""
        frame: Frame | None = self
        while frame is not None:
            if key in frame.values:
                return frame.values[key]
            if frame.lazy is not None and key in frame.lazy:
                value = frame.values[key] = frame.lazy[key](self)
                return value
            frame = frame.below
        raise KeyError(key)

    def keys(self) -> set[str]:
        """Return the names of all values, lazy ones included."""
        return {*self.values, *(self.lazy or ()), *(self.below.keys() if self.below is not None else ())}


_EMPTY: Final = Frame({})
_frame: Final[ContextVar[Frame]] = ContextVar("penstock_context", default=_EMPTY)
current: Final[Callable[[], Frame]] = _frame.get
"""Return the frame in force here."""
enter: Final[Callable[[Frame], Token[Frame]]] = _frame.set
"""Put a frame in force here; give the token to `leave`."""
leave: Final[Callable[[Token[Frame]], None]] = _frame.reset
"""Put back what was in force before `enter`."""
active_flow: Final[ContextVar[Any]] = ContextVar("penstock_active_flow", default=None)
"""The flow whose `with` block this code stands in, or None; read at every call of a task."""
open_blocks: Final[ContextVar[tuple[Any, ...]]] = ContextVar("penstock_open_blocks", default=())
"""The blocks of a flow that this code stands in (`case`, resources, `apply_map`), the innermost last."""


def within_blocks(flow: F) -> F:
    """Return *flow*, to which tasks are to be added; raises FlowError if the block around is of another flow."""
    blocks = open_blocks.get()
    if blocks and blocks[-1].flow is not flow:
        from penstock import errors

        message = f"{blocks[-1]!r} belongs to {blocks[-1].flow!r}; tasks of {flow!r} cannot be added inside it"
        raise errors.FlowError(message)
    return flow


class Context(Mapping[str, Any]):
    """The values of the run and task this code runs in, as a read-only mapping with attributes.

    Called with keyword arguments it is a context manager that adds them for a block.
    """

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        """Return the value of *key*, or raise KeyError."""
        return _frame.get().find(key)

    def __getattr__(self, key: str) -> Any:
        """Return the value of *key*, or raise AttributeError."""
        try:
            return _frame.get().find(key)
        except KeyError:
            known = ", ".join(sorted(self)) or "nothing"
            raise AttributeError(f"penstock.context has no {key!r} here; it holds {known}") from None

    def __contains__(self, key: object) -> bool:
        """Return whether *key* is set here."""
        return key in _frame.get().keys()  # noqa: SIM118 - a Frame is not a mapping

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names that are set here."""
        return iter(_frame.get().keys())

    def __len__(self) -> int:
        """Return how many names are set here."""
        return len(_frame.get().keys())

    def to_dict(self) -> dict[str, Any]:
        """Return all values that are set here, computing the lazy ones."""
        return dict(self)

    @contextmanager
    def __call__(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Iterator["Context"]:
        """Add *values* and keyword arguments to the context inside the block."""
        token = _frame.set(Frame({**(values or {}), **more}, _frame.get()))
        try:
            yield self
        finally:
            _frame.reset(token)

    def __repr__(self) -> str:
        """Name the values without computing any."""
        return f"<Context: {', '.join(sorted(self)) or 'empty'}>"

    def __reduce__(self) -> str:
        """Pickle as a reference: a function that travels finds the context of where it runs."""
        return "context"


context: Final = Context()


@contextmanager
def tags(*names: str) -> Iterator[set[str]]:
    """Add *names* to the tags of every task that is made, called, mapped or bound inside the block."""
    together = set(names) | set(context.get("tags", ()))
    flow = active_flow.get()
    with context(tags=together), nullcontext() if flow is None else flow.tagging(together):
        yield together
