"""Flow runs: creating, finding, listing, cancelling, deleting."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, Select, Update, bindparam, delete, insert, select, update

from penstock import clock, errors, states
from penstock.backends.models import FlowRun, Log, StateRecord, TaskRun
from penstock.spec import FlowSpec
from penstock_backend import flows as flow_rows
from penstock_backend import projects as project_rows
from penstock_backend.database import insert_new
from penstock_backend.database import now as moment
from penstock_backend.run_names import run_name
from penstock_backend.tables import (
    NOT_MAPPED,
    AnyRow,
    columns_of,
    flow_run_states,
    flow_runs,
    flow_versions,
    flows,
    logs,
    projects,
    task_run_states,
    task_runs,
)
from penstock_backend.transitions import DUE, ENDED, UNDER_WAY, Course

PARAMETER_BYTES: Final = 256 * 1024
LATE: Final = "Late"
"""What runs are listed by that are due and wait for an agent; no state of theirs, but what follows from it."""
LATE_SECONDS: Final = 15
"""How long after its time a run that has not begun is called late."""
_NEAR_NAMES: Final = 200
_AMBIGUOUS_SHOWN: Final = 5

_SELECT: Final = select(
    flow_runs, flows.c.name.label("flow"), projects.c.name.label("project"), flow_versions.c.version
).select_from(
    flow_runs.join(flow_versions, flow_runs.c.flow_version_id == flow_versions.c.id)
    .join(flows, flow_runs.c.flow_id == flows.c.id)
    .join(projects, flows.c.project_id == projects.c.id)
)
_BY_ID: Final = _SELECT.where(flow_runs.c.id == bindparam("run"))
_LOCKED_BY_ID: Final = _BY_ID.with_for_update(of=flow_runs, key_share=True)
_REOPEN: Final = update(flow_runs).where(
    flow_runs.c.id == bindparam("of_run"), flow_runs.c.state_version == bindparam("of_version")
)
_CHANGE: Final = _REOPEN.where(flow_runs.c.state_type.not_in(sorted(ENDED)))
_ADD_STATES: Final = insert(flow_run_states)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks for when a run is created."""

    parameters: dict[str, Any]
    labels: list[str] | None = None
    scheduled_time: datetime | None = None
    name: str | None = None
    executor: dict[str, Any] | None = None
    parent: str | None = None

    def __post_init__(self) -> None:
        """Keep the time in UTC, by which a request is the same in whatever zone it is made; raises ScheduleError."""
        time = self.scheduled_time
        if time is None or time.tzinfo is None:
            return
        failure = f"The scheduled time {time.isoformat()} lies before the year 1 or after the year 9999 in UTC"
        with errors.told_as(errors.ScheduleError, failure, OverflowError):
            object.__setattr__(self, "scheduled_time", time.astimezone(UTC))  # of a frozen object, as it is made

    def digest(self) -> str:
        """Return the SHA-256 by which the same request is known again."""
        return sha256(json.dumps(asdict(self), sort_keys=True, default=str).encode()).hexdigest()

    def check(self) -> None:
        """Raise ParameterError or ScheduleError if this cannot be kept."""
        if self.scheduled_time is not None and self.scheduled_time.tzinfo is None:
            moment = self.scheduled_time.isoformat()
            message = f"The scheduled time {moment} has no time zone; say which, as in {moment}+00:00"
            raise errors.ScheduleError(message)
        if self.name is not None:
            project_rows.check_name("run", self.name)
        for name, value in self.parameters.items():
            _check_parameter(name, value)
        size = len(json.dumps(self.parameters))
        if size > PARAMETER_BYTES:
            message = (
                f"The parameters take {size} bytes as JSON; at most {PARAMETER_BYTES} are kept. "
                "Store large data where the flow can read it, and pass its location"
            )
            raise errors.ParameterError(message)


def create(connection: Connection, flow: AnyRow, request: Request, idempotency_key: str | None) -> FlowRun:
    """Create a Scheduled run of the version *flow*, or return the one this key made before."""
    digest = request.digest()
    earlier = _by_key(connection, flow, idempotency_key, digest) if idempotency_key is not None else None
    if earlier is not None:
        return record(earlier)
    if flow.archived:
        message = f'Flow "{flow.name}" of project "{flow.project}" is archived; register it again to run it'
        raise errors.ConflictError(message)
    given = {**flow_rows.parameters_of(flow), **request.parameters}
    FlowSpec.model_validate(flow.spec).check_parameters(given)
    made = insert_run(connection, flow, request, idempotency_key=idempotency_key, request_digest=digest)
    if made is None:  # somebody else has used the key since: theirs is there now
        return create(connection, flow, request, idempotency_key)
    return made


def insert_run(connection: Connection, flow: AnyRow, request: Request, **columns: Any) -> FlowRun | None:
    """Insert a Scheduled run and its first state, and return it; None if one like it is there already."""
    now = moment(connection)
    due = request.scheduled_time or now
    course = Course("The run")
    course.enter(states.Scheduled("Waiting for an agent", start_time=due).serialize(), now)
    labels = flow_rows.labels_of(flow) if request.labels is None else request.labels
    row = {
        "id": str(uuid4()),
        "name": request.name or run_name(),
        "flow_id": flow.flow_id,
        "flow_version_id": flow.id,
        "parent": request.parent,
        "parameters": {**flow_rows.parameters_of(flow), **request.parameters},
        "labels": sorted(set(labels)),
        "executor": request.executor or flow_rows.group(flow).get("executor"),
        "created": now,
        "scheduled_time": due,
        "due": due,
        "fence": 0,
        **course.run_columns(),
        **columns,
    }
    if not insert_new(connection, flow_runs, row):
        return None
    add_states(connection, row["id"], course)
    names = {"project": flow.project, "flow": flow.name, "version": flow.version}
    return FlowRun(**row, **names, state=_state_of(row))


def get(connection: Connection, run: str) -> FlowRun:
    """Return a run by id or name; raises UnknownRunError."""
    return record(find(connection, run))


def find_locked(connection: Connection, run: str) -> AnyRow:
    """Return the row of a run as `find` does, which nobody else changes before this transaction ends."""
    row = connection.execute(_LOCKED_BY_ID, {"run": run}).first()
    return row or connection.execute(_LOCKED_BY_ID, {"run": find(connection, run).id}).one()


def find(connection: Connection, run: str) -> AnyRow:
    """Return the row of a run by id, or by a name that only one run has; raises UnknownRunError."""
    row = connection.execute(_BY_ID, {"run": run}).first()
    if row is not None:
        return row
    newest_first = flow_runs.c.created.desc()
    named = connection.execute(_SELECT.where(flow_runs.c.name == run).order_by(newest_first)).all()
    if len(named) == 1:
        return named[0]
    if named:
        ids = [f"{one.id} ({one.project}/{one.flow}, {one.created:%Y-%m-%d %H:%M})" for one in named[:_AMBIGUOUS_SHOWN]]
        more = f", and {len(named) - len(ids)} more" if len(named) > len(ids) else ""
        message = f'{len(named)} runs are named "{run}"; say which by its id: {", ".join(ids)}{more}'
        raise errors.UnknownRunError(message)
    known = connection.execute(select(flow_runs.c.name).order_by(newest_first).limit(_NEAR_NAMES)).scalars()
    near = errors.did_you_mean(run, known) or " List the runs: penstock runs list"
    message = f'There is no run "{run}".{near}'
    raise errors.UnknownRunError(message)


def list_runs(
    connection: Connection, project: str | None, flow: str | None, state: str | None, limit: int
) -> list[FlowRun]:
    """Return runs, the newest first."""
    query = _SELECT.order_by(flow_runs.c.created.desc(), flow_runs.c.id).limit(limit)
    if project is not None and flow is not None:
        query = query.where(flow_runs.c.flow_id == flow_rows.find(connection, project, flow).flow_id)
    elif project is not None:
        query = query.where(flows.c.project_id == project_rows.find(connection, project).id)
    elif flow is not None:
        query = query.where(flows.c.name == flow)
    if state == LATE:
        query = query.where(flow_runs.c.due < _late_since())
    elif state is not None:
        query = query.where(flow_runs.c.state_type.in_(_types_below(state)))
    return [record(row) for row in connection.execute(query)]


def list_task_runs(connection: Connection, run: str, limit: int) -> list[TaskRun]:
    """Return task runs in the order in which they were first heard of."""
    query = select(task_runs).where(task_runs.c.flow_run_id == find(connection, run).id)
    return [_task_record(row) for row in connection.execute(query.order_by(task_runs.c.position).limit(limit))]


def list_states(connection: Connection, run: str) -> list[StateRecord]:
    """Return the history of a run, the oldest state first."""
    history = flow_run_states.c
    query = select(flow_run_states).where(history.flow_run_id == find(connection, run).id)
    return [_state(row) for row in connection.execute(query.order_by(history.state_version))]


def list_logs(connection: Connection, run: str, after: int, limit: int) -> list[Log]:
    """Return log lines whose position is above *after*."""
    query = select(logs).where(logs.c.flow_run_id == find(connection, run).id, logs.c.position > after)
    rows = connection.execute(query.order_by(logs.c.position).limit(limit))
    return [Log(**columns_of(row)) for row in rows]


def cancel(connection: Connection, run: str) -> FlowRun:
    """End a run at once if nobody holds it, else mark it Cancelling for whoever does."""
    row = find_locked(connection, run)
    if row.state_type in ENDED or row.state_type == "Cancelling":
        return record(row)
    if row.state_type in UNDER_WAY:
        new: states.State = states.Cancelling("Asked to stop")
    else:
        new = states.Cancelled("Cancelled before it began")
    return enter(connection, row, new)


def delete_run(connection: Connection, run: str) -> None:
    """Delete a run with all that belongs to it; raises ConflictError while an agent holds it.

    A run that a schedule made stays until it has ended and its time has passed: its schedule would make it again.
    """
    row = find_locked(connection, run)
    cancel_first = f"cancel it first: penstock runs cancel {row.name}"
    if row.state_type in UNDER_WAY:
        message = f'Run "{row.name}" is {row.state_type} on agent {row.agent}; {cancel_first}'
        raise errors.ConflictError(message)
    if row.clock_time is not None:
        again = f'The schedule of flow "{row.flow}" would make run "{row.name}" again'
        if row.state_type not in ENDED:
            raise errors.ConflictError(f"{again}; {cancel_first}")
        if row.clock_time > moment(connection):
            raise errors.ConflictError(f"{again}; delete it after its time, {row.clock_time:%Y-%m-%d %H:%M:%S} UTC")
        flow_rows.settle(connection, row.flow_id, row.clock_time)
    connection.execute(delete(flow_runs).where(flow_runs.c.id == row.id))


def enter(connection: Connection, row: AnyRow, new: states.State, **columns: Any) -> FlowRun:
    """Bring the run of *row* into the state *new*, set further *columns* with it, and return the run as it then is."""
    course = course_of(row)
    if not course.enter(new.serialize(), clock.now()):
        return record(row)
    store(connection, row, course, **columns)
    changed = {**columns_of(row), **course.run_columns(), **columns}
    return FlowRun(state=_state_of(changed), **changed)


def reopen(connection: Connection, row: AnyRow, new: states.State) -> FlowRun:
    """Bring a run that has ended into *new*, in another attempt unless that is an end too.

    Under a new fence, as its last process may still have something to report.
    """
    attempt = row.attempt + (new.type not in ENDED)
    course = course_of(row)
    course.enter(new.serialize(), clock.now(), attempt, anew=True)
    changed = {"agent": None} if new.type not in ENDED else {}
    store(connection, row, course, change=_REOPEN, fence=row.fence + 1, **changed)
    return get(connection, row.id)


def store(connection: Connection, row: AnyRow, course: Course, change: Update = _CHANGE, **columns: Any) -> None:
    """Keep what *course* added to the run of *row*; if that ended it, its task runs under way end too."""
    if course.type not in UNDER_WAY:
        columns = {"lease_expires": None, **columns}
    which = {"of_run": row.id, "of_version": row.state_version, "due": _due(course)}
    if connection.execute(change, {**which, **course.run_columns(), **columns}).rowcount != 1:
        message = f'Run "{row.name}" changed while it was reported on; read it again'
        raise errors.ConflictError(message)
    add_states(connection, row.id, course)
    if course.type in ENDED:
        _end_task_runs(connection, row.id, course)


def add_states(connection: Connection, run_id: str, course: Course) -> None:
    """Append to the history of a flow run."""
    if course.added:
        connection.execute(_ADD_STATES, [{"flow_run_id": run_id, **entry} for entry in course.added])


def course_of(row: AnyRow, subject: str = "Run") -> Course:
    """Return where the run of *row* is; *subject* is what messages call it."""
    return Course(
        f'{subject} "{row.name}"',
        type=row.state_type,
        data=row.state_data,
        timestamp=row.state_timestamp,
        attempt=row.attempt,
        version=row.state_version,
        start_time=row.start_time,
        end_time=row.end_time,
    )


def record(row: AnyRow) -> FlowRun:
    """Return what the backend hands out for *row*."""
    late = row.due is not None and row.due < _late_since()
    return FlowRun(state=_state(row), late=late, **columns_of(row))


def _end_task_runs(connection: Connection, run_id: str, flow_course: Course) -> None:
    """End the task runs that nobody is left to end; those that never began stay Pending."""
    under_way = (task_runs.c.flow_run_id == run_id, task_runs.c.state_type.not_in(ENDED | {"Pending"}))
    cancelled = flow_course.type == "Cancelled"
    ended: states.State = (
        states.Cancelled("Its flow run was cancelled") if cancelled else states.Failed("Its flow run ended first")
    )
    for row in connection.execute(select(task_runs).where(*under_way)).all():
        course = course_of(row, "Task run")
        course.enter(ended.serialize(), flow_course.timestamp or clock.now())
        connection.execute(update(task_runs).where(task_runs.c.id == row.id).values(**course.run_columns()))
        connection.execute(insert(task_run_states), [{"task_run_id": row.id, **entry} for entry in course.added])


def _by_key(connection: Connection, flow: AnyRow, key: str, digest: str) -> AnyRow | None:
    project_rows.check_name("run's idempotency key", key)
    query: Select[Any] = _SELECT.where(flow_runs.c.flow_id == flow.flow_id, flow_runs.c.idempotency_key == key)
    row = connection.execute(query).first()
    if row is not None and row.request_digest != digest:
        message = (
            f'The idempotency key "{key}" of flow "{flow.name}" made run "{row.name}" ({row.id}) for another '
            "request; ask for the same, or use another key"
        )
        raise errors.ConflictError(message)
    return row


def _check_parameter(name: str, value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f'The parameter "{name}" is no JSON: {error}. Pass text, numbers, lists or mappings'
        raise errors.ParameterError(message) from error


def _due(course: Course) -> datetime | None:
    """Return from when on an agent may take the run; None if it waits for none."""
    if course.type not in DUE:
        return None
    named = course.data.get("start_time")
    return datetime.fromisoformat(named) if named else course.timestamp


def _late_since() -> datetime:
    return clock.now() - timedelta(seconds=LATE_SECONDS)


def _types_below(state: str) -> Collection[str]:
    if state not in states.TYPES:
        types = {*states.TYPES, LATE}
        hint = errors.did_you_mean(state.capitalize(), types) or f" The types are {errors.listing(types)}"
        message = f'There is no state "{state}".{hint}'
        raise errors.ConflictError(message)
    names: list[str] = states.TYPES[state].children(include_self=True, names_only=True)
    return names


def _task_record(row: AnyRow) -> TaskRun:
    found = columns_of(row)
    index = None if row.map_index == NOT_MAPPED else row.map_index
    return TaskRun(**{**found, "map_index": index, "flow_run": row.flow_run_id, "state": _state(row)})


def _state(row: AnyRow) -> StateRecord:
    return _state_of(columns_of(row))


def _state_of(columns: dict[str, Any]) -> StateRecord:
    data: dict[str, Any] = columns["state_data"]
    when = columns["state_timestamp"]
    return StateRecord(type=columns["state_type"], message=data.get("message"), timestamp=when, data=data)
