"""The context of a run and of its tasks: frames whose values are made when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from penstock import clock
from penstock.context import Frame, enter, leave
from penstock.engine.runs import FlowRun


def _logger(_frame: Frame) -> Any:
    from penstock import logs

    return logs.task_logger()


def _day(offset: int, form: str = "%Y-%m-%d") -> Callable[[Frame], str]:
    def find(frame: Frame) -> str:
        date = frame.find("date")
        day: datetime = datetime.fromisoformat(date) if isinstance(date, str) else date
        return f"{day + timedelta(days=offset):{form}}"

    return find


_DAYS: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}
RUN_LAZY: Final[Mapping[str, Callable[[Frame], Any]]] = {
    "logger": _logger,
    "date": lambda _frame: clock.now(),
    **{name: _day(offset) for name, offset in _DAYS.items()},
    **{f"{name}_nodash": _day(offset, "%Y%m%d") for name, offset in _DAYS.items()},
}
_TASK_LAZY: Final[Mapping[str, Callable[[Frame], Any]]] = {"logger": _logger}


def run_values(run: FlowRun, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a flow run puts into the context, plain values that can travel to a worker."""
    return {
        "flow_name": run.flow_name, "flow_run_id": run.id, "flow_run_name": run.name, "flow_run_attempt": run.attempt,
        "parameters": run.parameters, "scheduled_start_time": clock.now(), **more,
    }  # fmt: skip


@contextmanager
def inside(frame: Frame) -> Iterator[None]:
    """Put *frame* in force inside the block."""
    token = enter(frame)
    try:
        yield
    finally:
        leave(token)


class Identity(Protocol):
    """Says who a task is, by its number."""

    def identify(self, number: int) -> tuple[str, str, frozenset[str]]:
        """Return name, slug and tags."""
        ...


class TaskFrame(Frame):
    """The frame of one task run. Cheap to make, since most tasks ask their context for nothing.

    Children that run one after another in one thread may share one: whoever calls them moves `map_index` on.
    """

    __slots__ = ("_found", "attempt", "extra", "identity", "map_index", "number")

    def __init__(
        self, below: Frame, identity: Identity, number: int, map_index: int | None = None, attempt: int = 1,
        extra: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Stand for attempt *attempt* of task *number*; *extra* is what this call adds to the context."""
        self.below: Frame | None = below
        self.lazy: Mapping[str, Callable[[Frame], Any]] | None = _TASK_LAZY
        self.identity: Identity = identity
        self.number: int = number
        self.map_index: int | None = map_index
        self.attempt: int = attempt
        self.extra: dict[str, Any] | None = extra
        self._found: dict[str, Any] | None = None

    @property
    def values(self) -> dict[str, Any]:  # type: ignore[override]  # made when asked for
        """What the context says in this task."""
        if self._found is None or self._found["map_index"] != self.map_index:  # it went on to another child
            name, slug, tags = self.identity.identify(self.number)
            child = "" if self.map_index is None else f"[{self.map_index}]"
            self._found = {
                "task_name": name, "task_full_name": f"{name}{child}", "task_slug": slug, "task_tags": tags,
                "map_index": self.map_index, "task_run_count": self.attempt,
            }  # fmt: skip
            if self.extra is not None:
                self._found.update(self.extra)
        return self._found
