"""For authors of flows: run a flow in a test, with what it would touch replaced, and ask how it went."""

import copy
import inspect
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from unittest.mock import patch

from penstock import clock, errors, logs
from penstock import settings as all_settings
from penstock.engine import setup
from penstock.hooks import calls
from penstock.parameters import Parameter
from penstock.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from penstock.engine.runs import TaskRun
    from penstock.flow import Flow
    from penstock.running import ExecutorChoice
    from penstock.states import State
    from penstock.tasks import Task

TaskOrName: TypeAlias = "Task | str"
"""A task, or its name, `"load"`; its slug where several have that name, `"load-2"`; a mapped child, `"load[3]"`."""

_CHILD: Final = re.compile(r"(.+)\[(\d+)\]$")


class Run:
    """How a flow went: its `state`, and in `history` the states of each task run, in the order in which they began."""

    def __init__(self, flow: "Flow", state: "State", history: Mapping[str, list[str]]) -> None:
        """Keep how *flow* ended and what its task runs went through."""
        self.flow: Flow = flow
        self.state: State = state
        self.history: Mapping[str, list[str]] = history

    def state_of(self, task: TaskOrName) -> "State":
        """Return the state in which a task or a mapped child ended; raises UnknownTaskError for one that is not there.

        Raises AssertionError if the flow ended without its tasks.
        """
        if not isinstance(self.state.result, Mapping):
            raise AssertionError(f"{self.flow!r} ended without running its tasks: {_told(self.state)}")  # noqa: TRY004
        child = None
        if isinstance(task, str) and (match := _CHILD.match(task)) is not None:
            child = int(match[2])
            task = match[1]
        state: State = self.state.result[find_task(self.flow, task)]
        if child is None:
            return state
        children = getattr(state, "map_states", [])
        if child >= len(children):
            message = f"{self.flow!r} ran no {task}[{child}]; {task} has {len(children)} children and is {_told(state)}"
            raise errors.UnknownTaskError(message)
        found: State = children[child]
        return found

    def value(self, task: TaskOrName) -> Any:
        """Return what a task or a mapped child returned; raises AssertionError if it did not succeed."""
        state = self.state_of(task)
        if not state.is_successful():
            raise AssertionError(f"{task} has no value, it is {_told(state)}")
        return state.result

    @property
    def task_runs(self) -> list[str]:
        """The names of the task runs, in the order in which they began."""
        return list(self.history)

    def __repr__(self) -> str:
        """Show how the flow and every task of it ended."""
        states: Mapping[Task, State] = self.state.result if isinstance(self.state.result, Mapping) else {}
        lines = [f"  {label(self.flow, task)}: {_told(state)}" for task, state in states.items()]
        return "\n".join([f'Run of "{self.flow.name}": {_told(self.state)}', *lines])


class Harness:
    """Runs flows for a test; made by `harness()`."""

    def __init__(self, clock: VirtualClock, home: Path) -> None:
        """Run in virtual time, with penstock's files in *home*."""
        self.clock: VirtualClock = clock
        self.home: Path = home

    def run(
        self,
        flow: "Flow",
        parameters: Mapping[str, Any] | None = None,
        *,
        replace: Mapping[TaskOrName, Any] | None = None,
        executor: "ExecutorChoice" = "in-process",
        **more: Any,
    ) -> Run:
        """Run *flow* once, now, in this process unless *executor* says otherwise, and return how it went.

        *replace* gives tasks another body for this run: a function that takes the same inputs, a value to return, or
        an exception to raise. Everything else about them, retries and mapping included, stays. *more* are parameters
        by name and the options of `flow.run`. Raises UnknownTaskError for a task that is not in the flow.
        """
        run_id = str(uuid.uuid4())
        history: dict[str, list[str]] = {}
        names = {slug: label(flow, task) for task, slug in flow.slugs.items() if not isinstance(task, Parameter)}

        def record(run: "TaskRun", old: "State", new: "State") -> None:  # noqa: ARG001 - an observer's signature
            if run.flow_run.id == run_id and run.slug in names:
                child = "" if run.map_index is None else f"[{run.map_index}]"
                history.setdefault(names[run.slug] + child, []).append(new.type)

        with (
            patch.object(calls, "task_run_observers", lambda: [record]),
            patch.object(calls, "flow_run_observers", list),
        ):
            state = _with_bodies(flow, replace or {}).run(
                parameters, executor=executor, run_id=run_id, run_on_schedule=False, **more
            )
        return Run(flow, state, history)


@contextmanager
def harness(
    *, start: datetime | None = None, settings: Mapping[str, Any] | None = None, log_level: str = "CRITICAL"
) -> Iterator[Harness]:
    """Yield what runs flows for tests: away from the user's own penstock, and in virtual time.

    Inside the block PENSTOCK_HOME is a temporary folder, no results are written, nothing is found in a cache from
    before, penstock logs nothing below *log_level*, runs are told to no plugin, and the time is virtual, beginning at
    *start*. *settings*, a nested mapping, go over all others: `{"flows": {"checkpointing": True}}` to write results.
    """
    logs.configure(calls.log_processors())
    logger = logging.getLogger(logs.ROOT)
    virtual = VirtualClock(start) if start is not None else VirtualClock()
    chosen = {**(settings or {})}
    chosen["logging"] = {"level": log_level, **chosen.get("logging", {})}
    chosen["flows"] = {"checkpointing": False, **chosen.get("flows", {})}
    setup._memory.cache_clear()  # noqa: SLF001 - where caches are kept if nothing is written
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-"))
        stack.enter_context(patch.dict(os.environ, {"PENSTOCK_HOME": home}))
        stack.enter_context(all_settings.override(chosen))
        stack.enter_context(clock.use(virtual))
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(chosen["logging"]["level"])
        yield Harness(virtual, Path(home))


def find_task(flow: "Flow", task: TaskOrName) -> "Task":
    """Return the task of *flow* that a name stands for; raises UnknownTaskError if none or several have it."""
    slugs = flow.slugs
    if not isinstance(task, str):
        found = [task] if task in slugs else []
    else:
        found = [known for known in slugs if known.name == task] or [k for k, slug in slugs.items() if slug == task]
    if len(found) == 1:
        return found[0]
    if found:
        names = errors.listing(slugs[known] for known in found)
        raise errors.UnknownTaskError(f'Several tasks of flow "{flow.name}" are called {task!r}; say which: {names}')
    known_names = {known.name for known in slugs}
    hint = (errors.did_you_mean(task, known_names) if isinstance(task, str) else "") or (
        f" Its tasks are {errors.listing(known_names)}."
    )
    raise errors.UnknownTaskError(f'Flow "{flow.name}" has no task {task!r}.{hint}')


def label(flow: "Flow", task: "Task") -> str:
    """Return what tests call *task*: its name, or its slug where several have that name."""
    alone = sum(other.name == task.name for other in flow.slugs) == 1
    return task.name if alone else flow.slugs[task]


def _told(state: "State") -> str:
    return f"{state.type}: {state.message}" if state.message else state.type


def _with_bodies(flow: "Flow", replace: Mapping[TaskOrName, Any]) -> "Flow":
    """Return a copy of *flow* that has the same tasks, of which some run another function."""
    flow.validate()
    plan = copy.copy(flow.compile())
    plan.functions = [*plan.functions]
    for name, body in replace.items():
        task = find_task(flow, name)
        if isinstance(task, Parameter):
            message = f'{task.name!r} is a parameter of flow "{flow.name}"; give its value: run(flow, {task.name}=...)'
            raise errors.ParameterError(message)
        plan.functions[plan.tasks.index(task)] = _body(task, body)
    copied = flow.copy()
    copied._plan = plan  # noqa: SLF001 - the tasks stay those of the flow, so that they can be asked for
    return copied


def _body(task: "Task", body: Any) -> Callable[..., Any]:
    if isinstance(body, BaseException):
        call: Callable[..., Any] = _Raising(body)
    else:
        call = body if callable(body) else _Returning(body)
    if task.signature.is_async:

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            value = call(*args, **kwargs)
            return await value if inspect.isawaitable(value) else value

        return awaited
    if inspect.iscoroutinefunction(call):
        message = f"task {task.name!r} is a plain function, and its replacement {body!r} a coroutine function"
        raise TypeError(f"{message}; give a plain one")
    return call


class _Returning:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        return self.value


class _Raising:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise self.error
