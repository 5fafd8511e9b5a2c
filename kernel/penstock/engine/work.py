"""The work that an executor does: one task's body, run with its inputs, wherever the executor put it."""

import importlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from penstock import errors, signals
from penstock.context import Frame, context, current, enter, leave
from penstock.engine.frames import RUN_LAZY, TaskFrame
from penstock.engine.runs import FlowRun, TaskRun
from penstock.states import Failed, Looped, State, Success
from penstock.tasks import FunctionTask

if TYPE_CHECKING:
    from types import TracebackType

    from penstock.results import Result

Loop: TypeAlias = "tuple[int, Any] | None"
"""The round of a loop, from 1, and the result of the round before; None outside of loops."""
Call: TypeAlias = "tuple[tuple[Any, ...], int | None, int, Loop]"
"""Arguments, map index, attempt, and loop."""

_PACKAGE: Final = str(Path(__file__).parent.parent)
SUCCEEDED: Final = "Task run succeeded."


@dataclass(slots=True)
class Ended:
    """How calls ended: the value of each, and by position the state of those that are not plain successes."""

    values: list[Any]
    states: dict[int, State] = field(default_factory=dict)
    seconds: float = 0.0
    records: list[logging.LogRecord] = field(default_factory=list)


class Work:
    """One task's body with what it needs to run anywhere. Sent to a remote pool once, then called with inputs."""

    __slots__ = (
        "checkpoint",
        "function",
        "inner",
        "keys",
        "names",
        "remote",
        "run",
        "slug",
        "tags",
        "task_name",
        "wrapped",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        keys: tuple[str, ...] | None,
        identity: tuple[str, str, frozenset[str]],
        run: FlowRun,
        run_values: dict[str, Any],
        *,
        names: tuple[str, ...] = (),
        result: "Result | None" = None,
        wrapped: bool = False,
        remote: bool = False,
    ) -> None:
        """Hold *function*, whose inputs go by position unless *keys* name them; *result* keeps its values."""
        self.function: Callable[..., Any] = function
        self.keys: tuple[str, ...] | None = keys
        self.names: tuple[str, ...] = keys or names
        self.task_name: str = identity[0]
        self.slug: str = identity[1]
        self.tags: frozenset[str] = identity[2]
        self.run: FlowRun = run
        self.inner: dict[str, Any] = run_values
        self.checkpoint: Result | None = result
        self.wrapped: bool = wrapped
        self.remote: bool = remote

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the slots, with the function by name where its module can be imported."""
        state = {slot: getattr(self, slot) for slot in self.__slots__}
        return _revive, ({**state, "function": _Named.of(self.function) or self.function},)

    @property
    def __name__(self) -> str:
        """The task's name, for whoever names calls in messages."""
        return self.task_name

    def identify(self, number: int) -> tuple[str, str, frozenset[str]]:  # noqa: ARG002 - it knows one task only
        """Return the task's name, slug and tags."""
        return self.task_name, self.slug, self.tags

    def __call__(self, calls: list[Call]) -> Ended:
        """Run the body once per call, one after another; nothing a body raises gets out."""
        begun = time.perf_counter()
        ended = Ended([None] * len(calls))
        below = Frame(dict(self.inner), current(), RUN_LAZY)
        with _collected(ended.records) if self.remote else _in_place():
            for position, call in enumerate(calls):
                state = self._run(below, *call)
                if type(state) is Success and state.location is None:
                    ended.values[position] = state.result
                else:
                    ended.states[position] = state
        ended.seconds = time.perf_counter() - begun
        return ended

    def _run(
        self,
        below: Frame,
        args: tuple[Any, ...],
        map_index: int | None,
        attempt: int,
        loop: tuple[int, Any] | None,
    ) -> State:
        token = enter(TaskFrame(below, self, 0, map_index, attempt, loop))
        try:
            value = self._wrapped(args, map_index, attempt) if self.wrapped else self._call(args)
            return Success(SUCCEEDED, value) if self.checkpoint is None else self._written(value, args)
        except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
            state = state_of(error)
            if isinstance(state, Looped) and loop is not None:
                state.loop_count = loop[0]
            return state
        finally:
            leave(token)

    def _call(self, args: tuple[Any, ...]) -> Any:
        return self.function(*args) if self.keys is None else self.function(**dict(zip(self.keys, args, strict=True)))

    def _wrapped(self, args: tuple[Any, ...], map_index: int | None, attempt: int) -> Any:
        from penstock.hooks import calls

        wrapper = calls.task_wrapper()
        if wrapper is None:  # not installed where this worker runs
            return self._call(args)
        run = TaskRun(self.run, self.task_name, self.slug, self.tags, map_index, attempt)
        return wrapper(run, dict(zip(self.names, args, strict=False)), lambda: self._call(args))

    def _written(self, value: Any, args: tuple[Any, ...]) -> State:
        """Return Success with the location of *value*; it is not a success until its value can be read back."""
        state = Success(SUCCEEDED, value)
        if value is not None and self.checkpoint is not None:
            inputs = dict(zip(self.names, args, strict=False))
            state.location = self.checkpoint.write(value, **template_values(inputs))
        return state


@dataclass(frozen=True, slots=True)
class _Named:
    """The function of a `@task` of a module that can be imported elsewhere; the name there stands for the task."""

    module: str
    name: str

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "_Named | None":
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
        loaded = sys.modules.get(module or "")
        if loaded is None or getattr(loaded, "__spec__", None) is None or module == "__main__":
            return None
        named = getattr(loaded, name, None)
        return cls(loaded.__name__, name) if isinstance(named, FunctionTask) and named.fn is function else None

    def find(self) -> Callable[..., Any]:
        found: FunctionTask = getattr(importlib.import_module(self.module), self.name)
        return found.fn


def _revive(state: dict[str, Any]) -> Work:
    work = Work.__new__(Work)
    for slot, value in state.items():
        setattr(work, slot, value.find() if isinstance(value, _Named) else value)
    return work


def template_values(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a location template may name: the context, the parameters and the inputs."""
    known = {key: context.get(key) for key in context.keys() - {"logger", "parameters", "config"}}
    return {**known, **(context.get("parameters") or {}), **inputs}


def state_of(error: BaseException) -> State:
    """Return the state that an exception out of a task's body stands for; raises it again if it is not the body's."""
    if isinstance(error, signals.ENDRUN):
        error.state.context = {**(error.state.context or {}), "final": True}
    if isinstance(error, signals.PenstockSignal):
        return error.state
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        raise error
    without_framework(error)
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Failed(message, error, context={"exception": describe(error)})


def without_framework(error: BaseException) -> None:
    """Cut the framework's own frames from the top of a traceback, down to the user's first."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    if trace is not None:
        error.__traceback__ = trace


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as metadata: type, message, and for each frame file, line and function; no source."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append({"file": code.co_filename, "line": trace.tb_lineno, "function": code.co_name})
        trace = trace.tb_next
    return {"type": type(error).__name__, "message": str(error), "frames": frames}


@contextmanager
def _in_place() -> Iterator[None]:
    yield


@contextmanager
def _collected(records: list[logging.LogRecord]) -> Iterator[None]:
    """Collect what is logged under `penstock` inside the block, to be logged where the run is driven."""
    logger = logging.getLogger("penstock")
    handler: logging.Handler = _Collector(records)
    propagate = logger.propagate
    handlers = logger.handlers
    logger.handlers, logger.propagate = [handler], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate


_STRUCTLOGS_OWN: Final = ("_logger", "_name")
"""What marks a record whose message is structlog's dictionary; the one that travels is plain text."""


class _Collector(logging.Handler):
    """Keeps records in a form that can travel, with the task they come from."""

    collects: Final = True
    """Nothing else is to show these records: they are shown where the run is driven."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        kept = {name: value for name, value in vars(record).items() if name not in _STRUCTLOGS_OWN}
        travelling = logging.makeLogRecord({**kept, "args": None, "exc_info": None, "msg": _text(record)})
        travelling.task_full_name = context.get("task_full_name")
        self._records.append(travelling)


def _text(record: logging.LogRecord) -> str:
    event = record.msg.get("event") if isinstance(record.msg, dict) else None
    return str(event) if event is not None else record.getMessage()


def unreadable(task_name: str, error: BaseException) -> State:
    """Return the state of a call whose pool could not run it, or could not bring back how it ended."""
    message = f"{task_name} could not be run: {type(error).__name__}: {error}"
    exception = error if isinstance(error, Exception) else errors.ExecutorError(message)
    return Failed(message, exception, context={"exception": describe(exception)})
