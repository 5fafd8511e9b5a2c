"""Flows and their versions: registering, finding, listing, archiving, pausing."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from penstock import clock, errors
from penstock.backends.models import RegisteredFlow
from penstock_backend import projects as project_rows
from penstock_backend.database import insert_new
from penstock_backend.tables import AnyRow, columns_of, documents, flow_runs, flow_versions, flows, projects

if TYPE_CHECKING:
    from penstock.spec import FlowSpec

_RUN_CONFIG: Final = "local"
_SOON: Final = timedelta(minutes=1)
"""How runs begin of flows that were registered without saying how."""
_GROUP: Final = (
    (documents.c.kind == "flow-group") & (documents.c.scope == projects.c.name) & (documents.c.name == flows.c.name)
)
_SELECT: Final = select(
    flow_versions,
    flows.c.name,
    flows.c.schedule_active,
    flows.c.schedule_since,
    projects.c.name.label("project"),
    documents.c.data.label("group_data"),
).select_from(flow_versions.join(flows).join(projects).outerjoin(documents, _GROUP))

_BY_ID: Final = _SELECT.where(flow_versions.c.id == bindparam("version"))
_NEWEST_BY_NAME: Final = (
    _SELECT.where(projects.c.name == bindparam("project"), flows.c.name == bindparam("flow"))
    .order_by(flow_versions.c.version.desc())
    .limit(1)
)


def register(
    connection: Connection,
    spec: "FlowSpec",
    project: str,
    idempotency_key: str | None,
    *,
    schedule_active: bool,
) -> RegisteredFlow:
    """Keep *spec* as the next version of its flow, unless the newest version has the same key."""
    flow_id = _flow_id(connection, project, spec.name)
    lock(connection, [flow_id])
    newest = connection.execute(_newest(flow_id)).first()
    if newest and not newest.archived and idempotency_key and newest.idempotency_key == idempotency_key:
        return record(newest)
    drop_unstarted(connection, flow_id)
    connection.execute(update(flow_versions).where(flow_versions.c.flow_id == flow_id).values(archived=True))
    connection.execute(update(flows).where(flows.c.id == flow_id).values(schedule_active=schedule_active))
    row = {
        "id": str(uuid4()),
        "flow_id": flow_id,
        "version": newest.version + 1 if newest is not None else 1,
        "created": clock.now(),
        "archived": False,
        "idempotency_key": idempotency_key,
        "spec": spec.model_dump(mode="json"),
    }
    connection.execute(insert(flow_versions), row)
    return record(connection.execute(_newest(flow_id)).one())


def find(connection: Connection, project: str, name: str, version: int | None = None) -> AnyRow:
    """Return the row of a version, the newest by default; raises UnknownProjectError, UnknownFlowError."""
    if version is None:
        newest = connection.execute(_NEWEST_BY_NAME, {"project": project, "flow": name}).first()
        if newest is not None:
            return newest
    project_id = project_rows.find(connection, project).id
    flow_id = connection.execute(_flow(project_id, name)).scalar()
    if flow_id is None:
        known = connection.execute(select(flows.c.name).where(flows.c.project_id == project_id)).scalars()
        there = project_rows.hint(name, known, "It holds", "It holds no flow yet. Try: penstock register")
        message = f'Project "{project}" has no flow "{name}".{there}'
        raise errors.UnknownFlowError(message)
    query = _newest(flow_id) if version is None else _newest(flow_id).where(flow_versions.c.version == version)
    row = connection.execute(query).first()
    if row is None:
        newest = connection.execute(_newest(flow_id)).one().version
        message = f'Flow "{name}" of project "{project}" has no version {version}; its versions are 1 to {newest}'
        raise errors.UnknownFlowError(message)
    return row


def of_version(connection: Connection, version_id: str) -> AnyRow:
    """Return the row of a version by its id."""
    return connection.execute(_BY_ID, {"version": version_id}).one()


def list_versions(connection: Connection, project: str | None, limit: int, *, archived: bool) -> list[RegisteredFlow]:
    """Return the versions in use, or all with *archived*, by project and name, the newest first."""
    query = _SELECT.order_by(projects.c.name, flows.c.name, flow_versions.c.version.desc()).limit(limit)
    if project is not None:
        query = query.where(projects.c.id == project_rows.find(connection, project).id)
    if not archived:
        query = query.where(flow_versions.c.archived.is_(False))
    return [record(row) for row in connection.execute(query)]


def set_schedule_active(connection: Connection, project: str, name: str, *, active: bool) -> RegisteredFlow:
    """Pause or go on with the schedule of a flow."""
    row = find(connection, project, name)
    lock(connection, [row.flow_id])
    since = {"schedule_since": clock.now()} if active and not row.schedule_active else {}
    connection.execute(update(flows).where(flows.c.id == row.flow_id).values(schedule_active=active, **since))
    if not active:
        drop_unstarted(connection, row.flow_id)
    return record(connection.execute(_newest(row.flow_id)).one())


def archive(connection: Connection, project: str, name: str) -> RegisteredFlow:
    """Archive the newest version of a flow."""
    row = find(connection, project, name)
    lock(connection, [row.flow_id])
    connection.execute(update(flow_versions).where(flow_versions.c.id == row.id).values(archived=True))
    drop_unstarted(connection, row.flow_id)
    return record(connection.execute(_newest(row.flow_id)).one())


def lock(connection: Connection, flow_ids: Iterable[str]) -> None:
    """Let nobody else change flows, or make runs by their schedules, before this transaction ends."""
    query = select(flows.c.id).where(flows.c.id.in_(list(flow_ids))).order_by(flows.c.id)
    connection.execute(query.with_for_update(key_share=True)).all()


def scheduled(connection: Connection) -> list[AnyRow]:
    """Return the rows of the versions whose schedule is to be acted on, with the latest time that has become a run."""
    last = select(func.max(flow_runs.c.clock_time)).where(flow_runs.c.flow_id == flows.c.id).scalar_subquery()
    query = _SELECT.add_columns(last.label("last_time"))
    query = query.where(flows.c.schedule_active.is_(True), flow_versions.c.archived.is_(False))
    return [row for row in connection.execute(query) if schedule_of(row)]


def settled(row: AnyRow) -> datetime:
    """Return the time up to which the schedule of a row of `scheduled` has been acted on, or was not to be."""
    times: list[datetime | None] = [row.created, row.last_time, row.schedule_since]
    return max(time for time in times if time is not None)


def settle(connection: Connection, flow_id: str, time: datetime) -> None:
    """Keep that the schedule of a flow has been acted on up to *time*, though its run goes."""
    earlier = flows.c.schedule_since.is_(None) | (flows.c.schedule_since < time)
    connection.execute(update(flows).where(flows.c.id == flow_id, earlier).values(schedule_since=time))


def group(row: AnyRow) -> dict[str, Any]:
    """Return what is set for all versions of the flow."""
    return row.group_data or {}


def schedule_of(row: AnyRow) -> dict[str, Any] | None:
    """Return the spec of the schedule that the flow of *row* has now."""
    chosen: dict[str, Any] | None = group(row).get("schedule") or row.spec.get("schedule")
    return chosen


def labels_of(row: AnyRow) -> list[str]:
    """Return the labels that an agent must have to run the flow of *row*, unless a run says otherwise."""
    labels = group(row).get("labels")
    return sorted(set(row.spec.get("labels", []) if labels is None else labels))


def parameters_of(row: AnyRow) -> dict[str, Any]:
    """Return what is set for parameters that the version *row* has."""
    known = {parameter["name"] for parameter in row.spec.get("parameters", ())}
    return {name: value for name, value in group(row).get("parameters", {}).items() if name in known}


def spec_of(row: AnyRow) -> dict[str, Any]:
    """Return the spec of *row* with the options of the run configuration that are set for all versions."""
    given: dict[str, Any] = dict(group(row).get("run_config", {}))
    if not given:
        return dict(row.spec)
    own: dict[str, Any] = row.spec.get("run_config") or {"type": _RUN_CONFIG}
    other = given.pop("type", own["type"]) != own["type"]
    base: dict[str, Any] = {"type": group(row)["run_config"]["type"]} if other else own
    options = dict(base.get("options", {}))
    for name, value in given.items():
        both = isinstance(value, dict) and isinstance(options.get(name), dict)
        options[name] = {**options[name], **value} if both else value
    return {**row.spec, "run_config": {**base, "options": options}}


def begin_schedule_anew(connection: Connection, project: str, name: str) -> None:
    """Drop what a schedule asked for that is no more, and let nothing be made up for that the new one would have."""
    row = find(connection, project, name)
    lock(connection, [row.flow_id])
    drop_unstarted(connection, row.flow_id)
    connection.execute(update(flows).where(flows.c.id == row.flow_id).values(schedule_since=clock.now()))


def make_anew(connection: Connection, project: str, name: str) -> None:
    """Drop the coming runs of a schedule, so that they are made again as the flow is set now.

    Those of the next minute stay as they are: there has to be somebody who makes the others.
    """
    row = find(connection, project, name)
    lock(connection, [row.flow_id])
    drop_unstarted(connection, row.flow_id, clock.now() + _SOON)


def drop_unstarted(connection: Connection, flow_id: str, after: datetime | None = None) -> None:
    """Delete the runs that a schedule made, for any times or those after *after*, and that nobody has taken."""
    unstarted = (
        flow_runs.c.clock_time.is_not(None) if after is None else flow_runs.c.clock_time > after,
        flow_runs.c.fence == 0,
        flow_runs.c.state_type == "Scheduled",
    )
    connection.execute(delete(flow_runs).where(flow_runs.c.flow_id == flow_id, *unstarted))


def record(row: AnyRow) -> RegisteredFlow:
    """Return what the backend hands out for *row*."""
    holds: dict[str, Any] = {"labels": labels_of(row), "schedule": schedule_of(row), "parameters": parameters_of(row)}
    return RegisteredFlow(**columns_of(row), **holds, group=group(row))


def _flow_id(connection: Connection, project: str, name: str) -> str:
    project_rows.check_name("flow", name)
    project_id = project_rows.find(connection, project).id
    row = {"id": str(uuid4()), "project_id": project_id, "name": name, "schedule_active": True}
    insert_new(connection, flows, row)
    return str(connection.execute(_flow(project_id, name)).scalar_one())


def _flow(project_id: str, name: str) -> Select[Any]:
    return select(flows.c.id).where(flows.c.project_id == project_id, flows.c.name == name)


def _newest(flow_id: str) -> Select[Any]:
    return _SELECT.where(flow_versions.c.flow_id == flow_id).order_by(flow_versions.c.version.desc()).limit(1)
