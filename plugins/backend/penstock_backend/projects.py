"""Projects: making, listing, deleting, and finding one by name."""

from collections.abc import Iterable
from itertools import islice
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, delete, func, select

from penstock import clock, errors
from penstock.backends.models import Project
from penstock_backend.database import insert_new
from penstock_backend.tables import NAME_LENGTH, AnyRow, columns_of, flow_versions, flows, projects

_NAMES_SHOWN: Final = 10


def create(connection: Connection, name: str, description: str) -> Project:
    """Return the project *name*, made now if there was none."""
    check_name("project", name)
    row = {"id": str(uuid4()), "name": name, "description": description, "created": clock.now()}
    insert_new(connection, projects, row)
    return _record(connection.execute(_SELECT.where(projects.c.name == name).group_by(projects.c.id)).one())


def list_all(connection: Connection, limit: int) -> list[Project]:
    """Return projects by name."""
    query = _SELECT.group_by(projects.c.id).order_by(projects.c.name).limit(limit)
    return [_record(row) for row in connection.execute(query)]


def delete_empty(connection: Connection, name: str) -> None:
    """Delete a project; raises ConflictError if it has flows, archived ones included."""
    project = find(connection, name)
    held = list(connection.execute(select(flows.c.name).where(flows.c.project_id == project.id)).scalars())
    if held:
        message = f'Project "{name}" cannot be deleted: it holds the flows {shown(held)}'
        raise errors.ConflictError(message)
    connection.execute(delete(projects).where(projects.c.id == project.id))


def find(connection: Connection, name: str) -> AnyRow:
    """Return the row of a project; raises UnknownProjectError naming near ones."""
    row = connection.execute(select(projects).where(projects.c.name == name)).first()
    if row is None:
        known = list(connection.execute(select(projects.c.name)).scalars())
        there = hint(name, known, "There are the projects", f"There is none yet. Try: penstock projects create {name}")
        message = f'There is no project "{name}".{there}'
        raise errors.UnknownProjectError(message)
    return row


def check_name(kind: str, name: str) -> None:
    """Raise ConflictError if *name* is empty or too long to be kept."""
    if not 0 < len(name) <= NAME_LENGTH:
        message = f"The name of a {kind} has 1 to {NAME_LENGTH} characters; found {len(name)}: {name[:40]!r}"
        raise errors.ConflictError(message)


def hint(name: str, known: Iterable[str], there_are: str, nothing: str) -> str:
    """Return the end of a message about an unknown *name*: the nearest known one, or what there is."""
    known = list(known)
    if not known:
        return f" {nothing}"
    return errors.did_you_mean(name, known) or f" {there_are} {shown(known)}"


def shown(names: Iterable[str]) -> str:
    """Return *names* for a message, cut where there are many."""
    ordered = sorted(names)
    rest = len(ordered) - _NAMES_SHOWN
    return ", ".join(islice(ordered, _NAMES_SHOWN)) + (f" and {rest} more" if rest > 0 else "")


_SELECT: Final = select(projects, func.count(flow_versions.c.id).label("flows")).select_from(
    projects.outerjoin(flows, flows.c.project_id == projects.c.id).outerjoin(
        flow_versions, (flow_versions.c.flow_id == flows.c.id) & flow_versions.c.archived.is_(False)
    )
)


def _record(row: AnyRow) -> Project:
    return Project(**columns_of(row))
