"""Registering a flow: its source to its storage, its metadata to the backend, and nothing else anywhere."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from penstock import errors, settings
from penstock.backends import Backend
from penstock.backends.models import RegisteredFlow
from penstock.edges import Binding
from penstock.hooks import calls
from penstock.hooks.kinds import KindSpec
from penstock.logs import NARRATION, get_logger
from penstock.spec import EdgeSpec, FlowSpec, ParameterSpec, TaskSpec
from penstock.storage import Storage
from penstock.storage.scripts import versions

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock.tasks import Task


def get_backend() -> Backend:
    """Return the backend that the settings name; by default a SQLite file in penstock's home folder."""
    backend: Backend = Backend.configured(settings.get().backend_options())
    return backend


def serialize(flow: "Flow", *, build: bool = False) -> FlowSpec:
    """Return a flow's metadata; with *build* its source is stored first. Raises StorageError without a storage."""
    if build:
        if flow.storage is None:
            message = f'Flow "{flow.name}" has no storage to be built; set one: flow.storage = Local()'
            raise errors.StorageError(message)
        flow.storage.build()
    slugs = flow.slugs
    return FlowSpec(
        name=flow.name,
        tasks=[_task(flow, task) for task in slugs],
        edges=sorted(_edges(flow), key=lambda edge: (edge.downstream, edge.upstream, edge.key or "")),
        parameters=sorted(_parameters(flow), key=lambda parameter: parameter.name),
        reference_tasks=sorted(slugs[task] for task in flow.reference_tasks()),
        labels=sorted(_labels(flow)),
        schedule=flow.schedule.spec() if flow.schedule is not None else None,
        storage=_storage_spec(flow),
        executor=_executor_spec(flow),
        run_config=flow.run_config.spec() if flow.run_config is not None else None,
        result=_result_spec(flow),
        versions=versions(),
    )


def register(
    flow: "Flow",
    project: str,
    *,
    build: bool = True,
    labels: Iterable[str] | None = None,
    schedule_active: bool = True,
    idempotency_key: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> RegisteredFlow:
    """Validate, store and register a flow; return what the backend has kept.

    The project is created last, when the source is stored: what is refused before leaves nothing behind. Raises
    TypeError without a project name, UnknownProjectError where a missing project may not be created, ScheduleError for
    a flow that has a schedule and a parameter without a default.
    """
    if not project or not isinstance(project, str):
        message = f'Flow "{flow.name}" needs a project to be registered in: flow.register("tutorial")'
        raise TypeError(message)
    flow.validate()
    if flow.schedule is not None and (unset := [one.name for one in flow.parameters() if one.required]):
        message = f'Flow "{flow.name}" cannot run by its schedule, since nobody gives it {errors.listing(unset)}'
        raise errors.ScheduleError(f"{message}. Give each a default, or take the schedule away")
    backend = get_backend()
    if flow.storage is None:
        flow.storage = Storage.configured(**(storage_options or {}))
    is_new = _is_new(backend, project)
    spec = serialize(flow, build=build)
    if labels:
        spec = spec.model_copy(update={"labels": sorted({*spec.labels, *labels})})
    if is_new:
        backend.create_project(project)
        get_logger(NARRATION).info("Created the project %r", project)
    registered = backend.register_flow(
        spec, project=project, idempotency_key=idempotency_key, schedule_active=schedule_active
    )
    calls.flow_registered(spec, project, registered.version)
    return registered


def _is_new(backend: Backend, project: str) -> bool:
    """Return whether the project has to be created; raises UnknownProjectError if a setting forbids that."""
    known = {one.name for one in backend.list_projects(limit=1_000_000)}
    if project not in known and not settings.get().flows.create_project:
        message = (
            f'There is no project "{project}".{errors.did_you_mean(project, known)} There is {errors.listing(known)}.'
        )
        raise errors.UnknownProjectError(f"{message} Create it: penstock projects create {project}")
    return project not in known


def _task(flow: "Flow", task: "Task") -> TaskSpec:
    options, binding = task.options, flow._bindings[task]  # noqa: SLF001 - the graph's own metadata
    kind = type(task)
    return TaskSpec(
        slug=flow.slugs[task],
        name=task.name,
        type=f"{kind.__module__}.{kind.__qualname__}",
        tags=sorted(options.tags),
        max_retries=options.max_retries,
        retry_delay=_delay(options.retry_delay),
        timeout=options.timeout,
        cache_for=options.cache_for.total_seconds() if options.cache_for is not None else None,
        trigger=_dotted(options.trigger),
        skip_on_upstream_skip=options.skip_on_upstream_skip,
        mapped=(binding or Binding()).is_mapped(),
    )


def _dotted(function: Any) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__name__', type(function).__name__)}"


def _delay(delay: Any) -> float | list[float] | str | None:
    if callable(delay):
        return _dotted(delay)
    if isinstance(delay, tuple):
        return [one.total_seconds() for one in delay]
    return delay.total_seconds() if delay is not None else None


def _edges(flow: "Flow") -> list[EdgeSpec]:
    return [
        EdgeSpec(
            upstream=flow.slugs[edge.upstream_task],
            downstream=flow.slugs[edge.downstream_task],
            key=edge.key,
            mapped=edge.mapped,
            flattened=edge.flattened,
        )
        for edge in flow.edges
    ]


def _parameters(flow: "Flow") -> list[ParameterSpec]:
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    made = []
    for parameter in flow.parameters():
        try:
            default = to_jsonable_python(parameter.default)
        except PydanticSerializationError as error:
            message = (
                f'The default of {parameter!r} in flow "{flow.name}" cannot be written as JSON: {parameter.default!r}'
            )
            raise errors.ParameterError(message) from error
        made.append(
            ParameterSpec(
                name=parameter.name,
                required=parameter.required,
                default=default,
                json_schema=parameter.json_schema(),
            )
        )
    return made


def _labels(flow: "Flow") -> set[str]:
    run_config = flow.run_config.labels if flow.run_config is not None else set()
    return {*run_config, *(flow.storage.labels if flow.storage is not None else ())}


def _storage_spec(flow: "Flow") -> KindSpec | None:
    """Return the storage with the reference to this flow only: a storage may hold others."""
    if flow.storage is None:
        return None
    spec = flow.storage.spec()
    reference = flow.storage.references.get(flow.name)
    if reference is None:
        return spec
    options = {**spec.options, "references": {flow.name: reference.model_dump(mode="json")}}
    return spec.model_copy(update={"options": options})


def _executor_spec(flow: "Flow") -> KindSpec | None:
    if flow.executor is None:
        return None
    from penstock.executors import Executor

    executor: Executor = Executor.resolve(flow.executor)
    return executor.spec()


def _result_spec(flow: "Flow") -> KindSpec | None:
    if flow.result is None:
        return flow.storage.default_result() if flow.storage is not None else None
    from penstock.results import Result

    result: Result = Result.resolve(flow.result)
    return result.spec()
