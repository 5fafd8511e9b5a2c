"""Tasks that start runs of other flows, wait for them, and take what their tasks returned.

Where a backend is set up, or an agent runs the flow that asks, runs are created there, and agents run them. Where none
is, they run in this process at once, and are remembered as long as it lives.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from penstock import clock, errors, get_backend, settings, signals, task
from penstock.backends.models import FlowRun, StateRecord
from penstock.context import context
from penstock.results import Result
from penstock.running import result_of
from penstock.spec import FlowSpec
from penstock.states import Mapped, State
from penstock.storage import Storage

if TYPE_CHECKING:
    from penstock import Flow, Task
    from penstock.backends import Backend
    from penstock.backends.models import Log

_POLL_SECONDS: Final = 1.0
_ALL: Final = 1_000_000
_here: Final[dict[str, tuple[FlowRun, "Flow", State]]] = {}
"""The runs that have run in this process, by id."""


@task(name="create_flow_run", checkpoint=True)
async def create_flow_run(
    flow_name: Any = None,
    project_name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    labels: Collection[str] | None = None,
    run_name: str | None = None,
    scheduled_start_time: datetime | None = None,
    idempotency_key: str | None = None,
    executor: Mapping[str, Any] | str | None = None,
) -> str:
    """Create a run of a registered flow, `name` in a project or `project/name`, and return the run's id.

    The run is the child of the one this is called in. The task makes one run however often it is tried: unless an
    *idempotency_key* is given, one is made of the flow run, the task and its map index. Where no backend is set up, the
    run is made and has ended when this returns, and the flow may be given itself. Raises UnknownProjectError,
    UnknownFlowError, ParameterError.
    """
    if not _has_backend():
        return await asyncio.to_thread(_run_here, flow_name, project_name, parameters, run_name)
    if not isinstance(flow_name, str | None):
        flow_name = flow_name.name
    chosen = {"type": executor} if isinstance(executor, str) else executor
    made = await asyncio.to_thread(
        get_backend().create_flow_run, *_named(flow_name, project_name),
        parameters=parameters, labels=labels, name=run_name, scheduled_time=scheduled_start_time, executor=chosen,
        idempotency_key=idempotency_key or _key(), parent=context.get("flow_run_id"),
    )  # fmt: skip
    _logger().info("Created the run %s of %s/%s", made.name, made.project, made.flow)
    return made.id


@task(name="wait_for_flow_run", checkpoint=False)
async def wait_for_flow_run(
    flow_run_id: str,
    stream_states: bool = True,  # noqa: FBT002 - as the classic has it
    stream_logs: bool = False,  # noqa: FBT002
    raise_final_state: bool = False,  # noqa: FBT002
    max_duration: timedelta | float = timedelta(hours=12),
) -> FlowRun:
    """Return the run once it has ended.

    Its states and, with *stream_logs*, its lines are logged as this task's. With *raise_final_state* the task ends as
    the run did. Raises TimeoutError after *max_duration* (a timedelta, or seconds).
    """
    if flow_run_id in _here:
        found = _here[flow_run_id][0]
    else:
        limit = max_duration.total_seconds() if isinstance(max_duration, timedelta) else max_duration
        watched = _Watched(get_backend(), flow_run_id, states=stream_states, logs=stream_logs)
        found = await asyncio.wait_for(_ended(watched), limit)
    if raise_final_state:
        raise _signal(found)(f'Run "{found.name}" is {found.state.type}: {found.state.message}', result=found)
    return found


@task(name="get_task_run_result", checkpoint=False)
async def get_task_run_result(flow_run_id: str, task_slug: str, map_index: int = -1) -> Any:
    """Return what a task, by slug or by a name that only one has, returned in a run that has ended.

    Of a mapped task that is the list of what its children returned, or with *map_index* what one of them did. Raises
    UnknownTaskError, ResultMissingError where nothing was written.
    """
    if flow_run_id in _here:
        _, flow, state = _here[flow_run_id]
        found = state.result[_task(flow, task_slug)]
        return found.map_states[map_index].result if map_index >= 0 else found.result
    return await asyncio.to_thread(_result, get_backend(), flow_run_id, task_slug, map_index)


def _signal(run: FlowRun) -> type[signals.PenstockSignal]:
    """Return the signal that ends a task as the run has ended; a cancelled run fails it."""
    try:
        return signals.signal_from_state(State.deserialize({"type": run.state.type}))
    except ValueError:
        return signals.FAIL


def _has_backend() -> bool:
    return bool(settings.get().backend)


def _own_project() -> str | None:
    return context.get("project_name")


def _key() -> str:
    return f"{context.get('flow_run_id')}/{context.get('task_slug')}/{context.get('map_index')}"


def _logger() -> Any:
    return context.get("logger") or logging.getLogger("penstock.flow")


def _named(flow: str | None, project: str | None) -> tuple[str, str]:
    """Return project and name; a flow without a project is of the one that the asking flow is of."""
    if not flow:
        raise errors.FlowError('create_flow_run needs a flow: create_flow_run("project/name")')
    first, slash, second = flow.partition("/")
    chosen = project or (first if slash else None) or _own_project()
    if chosen is None:
        message = f'In which project is the flow "{flow}"? Say project_name=, or "project/{flow}"'
        raise errors.UnknownProjectError(message)
    return chosen, second if slash and not project else flow


# where no backend is set up


def _run_here(
    flow: "Flow | str | None", project: str | None, parameters: Mapping[str, Any] | None, run_name: str | None
) -> str:
    if isinstance(flow, str | None):
        flow = _restored(get_backend().get_flow(*_named(flow, project)).spec)
    begun = clock.now()
    state = flow.run(parameters, run_on_schedule=False)
    run = FlowRun(
        id=f"here-{len(_here) + 1}",
        name=run_name or flow.name,
        project=project or "",
        flow=flow.name,
        version=0,
        state=StateRecord(type=state.type, message=state.message, timestamp=clock.now(), data=state.serialize()),
        parameters=dict(parameters or {}),
        scheduled_time=begun,
        start_time=begun,
        end_time=clock.now(),
        parent=context.get("flow_run_id"),
    )
    _here[run.id] = run, flow, state
    return run.id


def _restored(data: Mapping[str, Any]) -> "Flow":
    spec = FlowSpec.model_validate(data)
    if spec.storage is None:
        raise errors.StorageError(f'Flow "{spec.name}" was registered without a storage; register it again')
    flow = Storage.restore(spec.storage).get_flow(spec.name)
    if flow.result is None and spec.result is not None:  # where runs by an agent have put what its tasks returned
        flow.result = Result.restore(spec.result)
    return flow


# where one is


class _Watched:
    """A run that is waited for, with what was told of it."""

    def __init__(self, backend: "Backend", run: str, *, states: bool, logs: bool) -> None:
        self._backend, self._run = backend, run
        self._states, self._logs = states, logs
        self._told = self._lines = 0

    def look(self) -> FlowRun | None:
        """Tell what is new, and return the run if it has ended; waits a little for that."""
        with contextlib.suppress(TimeoutError):
            self._backend.wait_for_flow_run(self._run, _POLL_SECONDS)
        found = self._backend.get_flow_run(self._run)
        history = self._backend.list_states(self._run)
        for one in history[self._told :] if self._states else ():
            _logger().info("Run %s is %s%s", found.name, one.type, f": {one.message}" if one.message else "")
        self._told = len(history)
        for line in self._new_lines():
            level = logging.getLevelNamesMapping().get(line.level, logging.INFO)
            _logger().log(level, "%s: %s", found.name, line.message)
        return found if State.deserialize({"type": found.state.type}).is_terminal() else None

    def _new_lines(self) -> "Iterator[Log]":
        while self._logs and (new := self._backend.list_logs(self._run, after=self._lines)):
            self._lines += len(new)
            yield from new


async def _ended(watched: _Watched) -> FlowRun:
    while (found := await asyncio.to_thread(watched.look)) is None:
        pass
    return found


def _result(backend: "Backend", run_id: str, slug: str, map_index: int) -> Any:
    run = backend.get_flow_run(run_id)
    flow = _restored(backend.get_flow(run.project, run.flow, run.version).spec)
    wanted = _task(flow, slug)
    runs = [one for one in backend.list_task_runs(run.id, limit=_ALL) if one.slug == flow.slugs[wanted]]
    kept = {one.map_index: State.deserialize(one.state.data) for one in runs}
    default, _ = result_of(flow)
    kind = wanted.options.result or default

    def read(index: int | None) -> Any:
        state = kept.get(index)
        if state is None or state.location is None or kind is None:
            what = f"{slug}[{index}]" if index is not None else slug
            raise errors.ResultMissingError(f'No result of {what} was written in run "{run.name}"')
        return kind.read(state.location)

    if map_index < 0 and isinstance(kept.get(None), Mapped):
        return [read(index) for index in sorted(index for index in kept if index is not None)]
    return read(map_index if map_index >= 0 else None)


def _task(flow: "Flow", slug: str) -> "Task":
    named = [one for one, own in flow.slugs.items() if slug in (own, one.name)]
    if len(named) != 1:
        hint = errors.did_you_mean(slug, flow.slugs.values()) or f" It has {errors.listing(flow.slugs.values())}"
        raise errors.UnknownTaskError(f'Flow "{flow.name}" has {len(named) or "no"} tasks "{slug}".{hint}')
    return named[0]
