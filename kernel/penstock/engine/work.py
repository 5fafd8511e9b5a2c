"""The work that an executor does: one task's body, run with its inputs, wherever the executor put it."""

import importlib
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from functools import lru_cache, partial
from importlib.machinery import PathFinder
from itertools import repeat
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from penstock import errors, redaction, signals
from penstock.context import Frame, context, current
from penstock.engine import records
from penstock.engine.caching import Cache
from penstock.engine.failures import state_of
from penstock.engine.frames import RUN_LAZY, TaskFrame, inside
from penstock.engine.printing import logged
from penstock.engine.runs import FlowRun, TaskRun
from penstock.engine.templates import filled, template_values
from penstock.engine.timeouts import limited, out_of_time
from penstock.states import Cached, Looped, State, Success
from penstock.tasks import FunctionTask, Task

if TYPE_CHECKING:
    from penstock.results import Result
    from penstock.tasks.options import Template

Extra: TypeAlias = "dict[str, Any] | None"
"""What the context says in one call beside what it always says: the round of a loop, the name of the task run."""
Call: TypeAlias = "tuple[tuple[Any, ...], int | None, int, Extra]"
"""Arguments, map index, attempt, and what is added to the context."""


@dataclass(slots=True, eq=False, repr=False)
class Batch(Sequence[Call]):
    """The first attempts of several children, in columns, which travel faster than rows.

    An input is a list with one item for each child where it is *mapped*, else the value that all of them take.
    """

    children: Sequence[int]
    inputs: list[Any]
    mapped: list[bool]

    def __len__(self) -> int:
        """Return how many children there are."""
        return len(self.children)

    def __getitem__(self, index: Any) -> Any:
        """Return the call of a child; for a slice, a batch."""
        taken = [given[index] if mapped else given for given, mapped in zip(self.inputs, self.mapped, strict=True)]
        if isinstance(index, slice):
            return Batch(self.children[index], taken, self.mapped)
        return tuple(taken), self.children[index], 1, None

    def __iter__(self) -> Iterator[Call]:
        """Iterate over the calls."""
        return ((args, child, 1, None) for args, child in self.rows())

    def rows(self) -> Iterator[tuple[tuple[Any, ...], int]]:
        """Iterate over the arguments of each child, with the child."""
        columns = [given if mapped else repeat(given) for given, mapped in zip(self.inputs, self.mapped, strict=True)]
        return zip(zip(*columns, strict=False) if columns else repeat(()), self.children, strict=False)


SUCCEEDED: Final = "Task run succeeded."
_TOGETHER_SECONDS: Final = 0.15
"""How long after the first of several calls in a worker another may begin; the rest goes to whoever is free."""
_CLOCK: Final = 4
"""After how many calls the clock is looked at, which takes as long as a tiny one."""


def is_plain(state: State) -> bool:
    """Return whether *state* is the success of a body that returned, of which nothing but the value need be kept."""
    return type(state) is Success and state.location is None and state.message == SUCCEEDED


@dataclass(slots=True)
class Ended:
    """How calls ended: the value of each, and by position the state of those that are not plain successes.

    From another process the *records* come with it that were logged there, and the *secrets* that are to be hidden in
    all of this.
    """

    values: list[Any]
    states: dict[int, State] = field(default_factory=dict)
    seconds: float = 0.0
    records: list[logging.LogRecord] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Around:
    """What is done around a body: where its value goes, what may stand in for it, and what holds while it runs."""

    result: "Result | None" = None
    target: "Template | None" = None
    cache: Cache | None = None
    timeout: float | None = None
    log_stdout: bool = False
    wrapped: bool = False
    writes: bool = True


@dataclass(slots=True, eq=False)
class Work:
    """One task's body with what it needs to run anywhere. Sent to a remote pool once, then called with inputs.

    The inputs of `function` go by position unless `keys` name them; `names` are theirs in either case. With `looks`
    each call looks first whether its value is there already; else the driver has.
    """

    function: Callable[..., Any]
    keys: tuple[str, ...] | None
    names: tuple[str, ...]
    identity: tuple[str, str, frozenset[str]]
    run: FlowRun
    values: dict[str, Any]
    around: Around
    looks: bool = False
    remote: bool = False
    """Whether this is a copy, in another process than the driver's."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the fields, with the function by name where its module can be imported."""
        named, *others = (getattr(self, one.name) for one in fields(self))
        return _revive, (_Named.of(named) or named, *others)

    @property
    def __name__(self) -> str:
        """The task's name, for whoever names calls in messages."""
        return self.identity[0]

    def identify(self, number: int) -> tuple[str, str, frozenset[str]]:  # noqa: ARG002 - it knows one task only
        """Return the task's name, slug and tags."""
        return self.identity

    def __call__(self, calls: Sequence[Call]) -> Ended:
        """Run the body once per call, one after another; nothing a body raises gets out.

        Several calls in another process may take a while together; those that are left then have no value.
        """
        begun, ended = perf_counter(), Ended([None] * len(calls))
        redaction.hide(self.values.get("secrets") if self.remote else None)  # as the driver has
        with records.collected(ended.records) if self.remote else nullcontext():
            self._run_all(calls, ended, begun + _TOGETHER_SECONDS if self.remote else math.inf)
        ended.seconds, ended.secrets = perf_counter() - begun, redaction.known() if self.remote else []
        return ended

    def _run_all(self, calls: Sequence[Call], ended: Ended, until: float) -> None:
        """Run calls as long as there is time for another; with nothing around the body if nothing is asked for.

        Where it is to be known if the process dies, the worker has a place for the position of the call under way.
        """
        below, under_way = Frame(dict(self.values), current(), RUN_LAZY), self._of_worker("worker_progress")
        frame, function, keys, values = TaskFrame(below, self, 0), self.function, self.keys, ended.values
        bare = calls.rows() if isinstance(calls, Batch) and self.around == Around() else None
        rows: Iterator[Any] = ((call, None) for call in calls) if bare is None else bare
        with inside(frame):
            for position, (given, frame.map_index) in enumerate(rows):
                if not position % _CLOCK and perf_counter() > until and position:
                    del values[position:]
                    break
                if under_way is not None:
                    under_way[0] = position
                try:
                    if bare is None:
                        _note(ended, position, self._run(below, given, self._made))
                    else:
                        values[position] = function(*given) if keys is None else called(function, keys, given)
                except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
                    _note(ended, position, _rounded(state_of(error), calls[position]))
        if bare and any(issubclass(kind, Task) for kind in set(map(type, values))):
            self._refuse_tasks(ended)

    def _refuse_tasks(self, ended: Ended) -> None:
        """Let calls fail that have returned tasks, as if they had raised it."""
        for position, value in enumerate(ended.values):
            if isinstance(value, Task):
                _note(ended, position, state_of(task_returned(self.__name__, value)))
                ended.values[position] = None

    def _of_worker(self, name: str) -> Any:
        """Return what the worker offers to the calls it was given, which is not for a run that one of them makes."""
        return context.get(name) if self.remote else None

    async def await_body(self, call: Call) -> Ended:
        """Run the body, a coroutine function, once, on the event loop this is awaited on."""
        ended = Ended([None])
        below = Frame(dict(self.values), current(), RUN_LAZY)
        with inside(TaskFrame(below, self, 0, *call[1:])):
            try:
                state = self._found(call) or await self._awaited(call)
            except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
                state = _rounded(state_of(error), call)
        _note(ended, 0, state)
        return ended

    def look_up(self, below: Frame, call: Call) -> State | None:
        """Return the state of a call whose value is there already, at its target or in the cache."""
        return self._run(below, call, self._found)

    def _run(self, below: Frame, call: Call, make: Callable[[Call], State | None]) -> State | Any:
        with inside(TaskFrame(below, self, 0, *call[1:])):
            try:
                return make(call)
            except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
                return _rounded(state_of(error), call)

    def _made(self, call: Call) -> State:
        return (self._found(call) if self.looks else None) or self._kept(call, self._success(call))

    def _success(self, call: Call) -> State:
        """Return the state of a body that returned, or raised that it succeeded."""
        seconds, body = self.around.timeout, partial(self._body, call)
        with logged() if self.around.log_stdout else nullcontext():
            try:
                value = body() if seconds is None else limited(seconds, body, self._of_worker("worker_deadline"))
            except signals.SUCCESS as signal:
                return signal.state
        return Success(SUCCEEDED, value)

    async def _awaited(self, call: Call) -> State:
        """Return the state of a coroutine that returned; raises OutOfTime if it does not in the task's timeout."""
        import asyncio

        async def timed() -> tuple[float, Any, float]:
            return perf_counter(), await self._body(call), perf_counter()

        seconds = self.around.timeout or math.inf
        with logged() if self.around.log_stdout else nullcontext():
            body = asyncio.ensure_future(timed())
            done, _ = await asyncio.wait([body], timeout=self.around.timeout)
            if not done:
                body.cancel()
                done, _ = await asyncio.wait([body], timeout=0.2)
                raise out_of_time(seconds, stopped=bool(done))
        try:
            begun, value, ended = body.result()
            state: State = Success(SUCCEEDED, value) if ended - begun <= seconds else out_of_time(seconds).state
        except signals.SUCCESS as signal:
            state = signal.state
        keeps = self.around.result is not None
        return await asyncio.to_thread(self._kept, call, state) if keeps else self._kept(call, state)

    def _body(self, call: Call) -> Any:
        args, map_index, attempt, _ = call
        if self.around.wrapped:
            from penstock.hooks import calls

            wrapper = calls.task_wrapper()
            if wrapper is not None:  # it may not be installed where this worker runs
                run = TaskRun(self.run, *self.identity, map_index, attempt)
                return wrapper(run, self.inputs(call), lambda: called(self.function, self.keys, args))
        return called(self.function, self.keys, args)

    def inputs(self, call: Call) -> dict[str, Any]:
        """Return the inputs of a call by name."""
        return dict(zip(self.names, call[0], strict=False))

    def _found(self, call: Call) -> State | None:
        """Return the state of a call whose value is there already, unless it is a later round of a loop."""
        around = self.around
        if (around.target is None and around.cache is None) or (call[3] and "task_loop_count" in call[3]):
            return None
        inputs = self.inputs(call)
        if around.target is not None and around.result is not None:
            address = self._target(inputs)
            if around.result.has(address):
                return Cached(f"Found at its target, {address}", around.result.read(address))
        return around.cache.find(inputs) if around.cache is not None else None

    def _target(self, inputs: dict[str, Any]) -> str:
        subject = f"target of task {self.__name__!r}"
        with errors.told_as(errors.TaskError, f"The {subject} is no text", TypeError):
            return os.fspath(filled(self.around.target or "", inputs, subject))

    def _kept(self, call: Call, state: State) -> State:
        """Return *state*, a success, with the location of its value if it is kept: none before it can be read back."""
        value, around = state.result, self.around
        if isinstance(value, Task):
            raise task_returned(self.__name__, value)
        if around.result is None or not around.writes:
            return state
        inputs = self.inputs(call)
        if value is not None and around.target is not None:
            state.location = around.result.write_at(self._target(inputs), value)
        elif value is not None:
            state.location = around.result.write(value, **template_values(inputs))
        return around.cache.keep(state, inputs) if around.cache is not None else state


def called(function: Callable[..., Any], keys: tuple[str, ...] | None, args: Sequence[Any]) -> Any:
    """Return what *function* returns for *args*, which go by position unless *keys* name them."""
    return function(*args) if keys is None else function(**dict(zip(keys, args, strict=True)))


def task_returned(name: str, value: Task) -> errors.TaskError:
    """Return the error of a body that returned a task instead of a value."""
    return errors.TaskError(
        f"task {name!r} returned {value!r} instead of a value. Inside a task, call its function: {value.name}.run(...)"
        "; to let the value of another task pass on, call that task in the flow"
    )


def _note(ended: Ended, position: int, state: State) -> None:
    if is_plain(state):
        ended.values[position] = state.result
    else:
        ended.states[position] = state


def _rounded(state: State, call: Call) -> State:
    """Return a state that a signal made, with the round of the loop if it is Looped."""
    if isinstance(state, Looped):
        state.loop_count = (call[3] or {}).get("task_loop_count", state.loop_count)
        state.message = state.message or f"Round {state.loop_count} of the loop has ended."
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
        if loaded is None or not _is_importable(loaded.__name__):
            return None
        named = getattr(loaded, name, None)
        return cls(loaded.__name__, name) if isinstance(named, FunctionTask) and named.fn is function else None

    def find(self) -> Callable[..., Any]:
        found: FunctionTask = getattr(importlib.import_module(self.module), self.name)
        return found.fn


@lru_cache
def _is_importable(module: str) -> bool:
    """Return whether another process with this one's path finds *module*; a script or a test may be there only here."""
    path = None
    for depth in range(module.count(".") + 1):
        spec = PathFinder.find_spec(".".join(module.split(".")[: depth + 1]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return True


def _revive(function: Any, *others: Any) -> Work:
    work = Work(function.find() if isinstance(function, _Named) else function, *others)
    work.remote = True
    return work
