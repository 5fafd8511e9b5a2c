"""Registering a flow: its source to its storage, its metadata to the backend, and nothing else anywhere."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from penstock import errors, settings
from penstock.backends import Backend
from penstock.backends.models import RegisteredFlow
from penstock.edges import Edge
from penstock.executors import Executor
from penstock.hooks import calls
from penstock.hooks.kinds import Kind, KindSpec, sorted_labels
from penstock.parameters import Parameter
from penstock.results import Result
from penstock.run_configs import RunConfig
from penstock.schedules import Schedule
from penstock.spec import EdgeSpec, FlowSpec, ParameterSpec, TaskSpec
from penstock.storage import Storage
from penstock.storage.scripts import versions

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock.tasks import Task


def get_backend() -> Backend:
    """Return the backend that the settings name; by default a SQLite file in penstock's home folder."""
    return Backend.configured(settings.get().backend_options())


def serialize(flow: "Flow", *, build: bool = False) -> FlowSpec:
    """Return a flow's metadata; with *build* its source is stored first. Raises StorageError without a storage."""
    if build:
        if flow.storage is None:
            raise errors.StorageError(f'Flow "{flow.name}" has no storage to be built; set one: flow.storage = Local()')
        if flow.name not in flow.storage._attached:  # noqa: SLF001 - as when both were pickled
            flow.storage.add_flow(flow)
        flow.storage.build()
    slugs, run_config = flow.slugs, None if flow.run_config is None else RunConfig.resolve(flow.run_config)
    edges = [_edge(slugs, edge) for edge in flow.edges]
    return FlowSpec(
        name=flow.name, tasks=[_task(flow, task) for task in slugs],
        edges=sorted(edges, key=lambda edge: (edge.downstream, edge.upstream, edge.key or "")),
        parameters=[_parameter(flow, one) for one in sorted(flow.parameters(), key=lambda parameter: parameter.name)],
        reference_tasks=sorted(slugs[task] for task in flow.reference_tasks()),
        labels=sorted({label for part in (run_config, flow.storage) if part is not None for label in part.labels}),
        schedule=_part(Schedule, flow.schedule), storage=_storage_spec(flow), executor=_part(Executor, flow.executor),
        run_config=_part(RunConfig, run_config), versions=versions(),
        result=_part(Result, flow.result) or (flow.storage.default_result() if flow.storage is not None else None),
    )  # fmt: skip


def register(
    flow: "Flow", project: str, labels: Iterable[str], idempotency_key: str | None, storage_options: Mapping[str, Any],
    *, build: bool, active: bool,
) -> RegisteredFlow:  # fmt: skip
    """Validate, store and register a flow, as `Flow.register` was asked to; return what the backend has kept.

    The project is created last, when the source is stored: what is refused before leaves nothing behind. Raises
    TypeError without a project name or for labels that are no list, UnknownProjectError where a missing project may not
    be created, SettingsError for options that the storage does not have, ScheduleError for a flow that has a schedule
    and for one of its next times a parameter without a value, or a value without a parameter.
    """
    if not isinstance(project, str) or not project or "/" in project:
        message = f'Flow "{flow.name}" needs a project to be registered in, as in flow.register("tutorial")'
        raise TypeError(f"{message}; found {project!r}. Its flows are named PROJECT/NAME, so that it has no slash")
    wanted = sorted_labels(labels)
    flow.validate()
    given = [event.parameter_defaults for event in flow.schedule.events(100)] or [{}] if flow.schedule else []
    if unset := {one.name for one in flow.parameters() if one.required for values in given if one.name not in values}:
        message = f'Flow "{flow.name}" cannot run by its schedule, since nobody gives it {errors.listing(unset)}'
        raise errors.ScheduleError(f"{message}. Give each a default, here or in every clock, or take the schedule away")
    for name in {name for values in given for name in values} - {one.name for one in flow.parameters()}:
        raise errors.ScheduleError(f'A clock of flow "{flow.name}" gives it "{name}", which is none of its parameters')
    backend = get_backend()
    if flow.storage is None:
        flow.storage = Storage.configured(**storage_options)
    elif storage_options:
        flow.storage = Storage.resolve(flow.storage, **storage_options)
    is_new = _is_new(backend, project)
    spec = serialize(flow, build=build)
    spec = spec.model_copy(update={"labels": sorted({*spec.labels, *wanted})})
    if is_new:
        from penstock.logs import NARRATION, get_logger  # structlog takes long to import

        backend.create_project(project)
        get_logger(NARRATION).info("Created the project %r", project)
    registered = backend.register_flow(spec, project=project, idempotency_key=idempotency_key, schedule_active=active)
    calls.flow_registered(spec, project, registered.version)
    return registered


def _is_new(backend: Backend, project: str) -> bool:
    """Return whether the project has to be created; raises UnknownProjectError if a setting forbids that."""
    known = {one.name for one in backend.list_projects(limit=1_000_000)}
    if project not in known and not settings.get().flows.create_project:
        hint = f"There is {errors.listing(known)}. Create it: penstock projects create {project}"
        near = errors.did_you_mean(project, known)
        raise errors.UnknownProjectError(f'There is no project "{project}".{near} {hint}')
    return project not in known


def _task(flow: "Flow", task: "Task") -> TaskSpec:
    options = task.options
    kind = type(task)
    return TaskSpec(
        slug=flow.slugs[task], name=task.name, type=f"{kind.__module__}.{kind.__qualname__}", tags=sorted(options.tags),
        max_retries=options.max_retries, retry_delay=_delay(options.retry_delay), timeout=options.timeout,
        cache_for=options.cache_for.total_seconds() if options.cache_for is not None else None,
        trigger=_dotted(options.trigger), skip_on_upstream_skip=options.skip_on_upstream_skip,
        mapped=flow.is_mapped(task),
    )  # fmt: skip


def _dotted(function: Any) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__name__', type(function).__name__)}"


def _delay(delay: Any) -> float | list[float] | str | None:
    if callable(delay):
        return _dotted(delay)
    if isinstance(delay, tuple):
        return [one.total_seconds() for one in delay]
    return delay.total_seconds() if delay is not None else None


def _edge(slugs: Mapping["Task", str], edge: Edge) -> EdgeSpec:
    upstream, downstream = slugs[edge.upstream_task], slugs[edge.downstream_task]
    marks = {"mapped": edge.mapped, "flattened": edge.flattened}
    return EdgeSpec(upstream=upstream, downstream=downstream, key=edge.key, **marks)


def _parameter(flow: "Flow", parameter: Parameter) -> ParameterSpec:
    failure = f'The default of {parameter!r} in flow "{flow.name}" cannot be written as JSON: {parameter.default!r}'
    with errors.told_as(errors.ParameterError, failure, PydanticSerializationError):
        default = to_jsonable_python(parameter.default)
    schema = parameter.json_schema()
    return ParameterSpec(name=parameter.name, required=parameter.required, default=default, json_schema=schema)


def _storage_spec(flow: "Flow") -> KindSpec | None:
    """Return the storage with the reference to this flow only: a storage may hold others."""
    spec = flow.storage.spec() if flow.storage is not None else None
    if spec is None or flow.name not in spec.options.get("references", {}):
        return spec
    own = {flow.name: spec.options["references"][flow.name]}
    return spec.model_copy(update={"options": {**spec.options, "references": own}})


def _part(kind: type[Kind], value: Any) -> KindSpec | None:
    return kind.resolve(value).spec() if value is not None else None
