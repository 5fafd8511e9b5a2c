"""What somebody who keeps a database does to it: see that it is well, copy it, change its form, let old runs go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, bindparam, delete, func, select

from penstock import clock, errors
from penstock_backend import migrations
from penstock_backend.database import Database
from penstock_backend.sqlite_file import SQLiteFile
from penstock_backend.tables import flow_run_states, flow_runs, flow_versions, flows, logs, projects, task_runs
from penstock_backend.transitions import ENDED

_COUNTED: Final = {
    "projects": projects, "flows": flows, "versions": flow_versions, "runs": flow_runs, "task runs": task_runs,
    "log lines": logs,
}  # fmt: skip
_PART: Final = 100
"""How many runs are deleted in one transaction, so that others get their turn."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a database found."""

    place: str
    revision: str
    rows: dict[str, int]
    bytes: int
    faults: list[str] = field(default_factory=list)


def check(database: Database) -> Report:
    """Look whether the database can be read and is sound; raises BackendUnreachableError if it cannot be."""
    with database.reading() as connection:
        rows = {name: _count(connection, table) for name, table in _COUNTED.items()}
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        sizes = connection.exec_driver_sql(_SIZE[connection.dialect.name]).scalar_one()
        faults = _faults(connection) if connection.dialect.name == "sqlite" else []
        return Report(database.place, revision, rows, sizes, faults + _gaps(connection))


_SIZE: Final = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _faults(connection: Connection) -> list[str]:
    found = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
    dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    told = [f"integrity: {one}" for one in found if one != "ok"]
    return told + ([f"{len(dangling)} rows refer to what is not there"] if dangling else [])


def _gaps(connection: Connection) -> list[str]:
    """Return which runs have a history that does not count from 1 to what their row says."""
    history = flow_run_states
    counted = (
        select(history.c.flow_run_id, func.count().label("number"), func.max(history.c.state_version).label("last"))
        .group_by(history.c.flow_run_id)
        .subquery()
    )
    wrong = (
        select(flow_runs.c.name)
        .select_from(flow_runs.outerjoin(counted, counted.c.flow_run_id == flow_runs.c.id))
        .where(
            (counted.c.number.is_(None))
            | (counted.c.number != counted.c.last)
            | (counted.c.last != flow_runs.c.state_version)
        )
    )
    names = list(connection.execute(wrong.limit(20)).scalars())
    return [f"the history of run {name} has gaps" for name in names]


def backup(database: Database, target: Path) -> None:
    """Write a copy of a SQLite database to *target*, a new file, while others use it.

    Raises ConflictError for another database and a file that is there, BackendUnreachableError if it cannot be written.
    """
    if not isinstance(database, SQLiteFile):
        raise errors.ConflictError(f"{database.place} is no SQLite file; take a copy of it with pg_dump")
    with errors.told_as(errors.BackendUnreachableError, f"The copy {target} cannot be written", OSError):
        there = target.exists()
    if there:
        raise errors.ConflictError(f"{target} is there already; name another file, or remove it")
    database.copy_to(target)


def check_revision(revision: str) -> None:
    """Raise ConflictError, naming those there are, if *revision* is none that a database can be brought back to."""
    known = [*migrations.revisions(), "base"]
    if revision not in known:
        raise errors.ConflictError(f"There is no revision {revision!r}; there is {errors.listing(known)}")


def downgrade(database: Database, revision: str) -> Path | None:
    """Bring the database to the form of an older penstock; raises ConflictError for a revision that is none.

    Of a SQLite file a copy is kept as it was, and its path returned. Of another database there is none.
    """
    check_revision(revision)
    if revision == migrations.HEAD:
        return None
    from alembic import command

    configuration = migrations.config()
    with database.migrating() as connection:
        kept = database.keep(migrations.HEAD) if isinstance(database, SQLiteFile) else None
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, revision)
    database.close()
    return kept


# letting old runs go


@dataclass(frozen=True, slots=True)
class Pruning:
    """Which runs go: those that ended before a moment, but for the last of each flow that ended.

    The newest run that a flow's schedule made stays: by it is known which of its times have been made up for.
    """

    older_than: timedelta
    keep_last: int = 0

    def runs(self, connection: Connection) -> list[str]:
        """Return the ids of the runs that go, the oldest first."""
        return list(connection.execute(self._query(clock.now() - self.older_than)).scalars())

    def _query(self, before: datetime) -> Select[Any]:
        place = func.row_number().over(partition_by=flow_runs.c.flow_id, order_by=flow_runs.c.created.desc())
        others = flow_runs.alias()
        newest = select(func.max(others.c.clock_time)).where(others.c.flow_id == flow_runs.c.flow_id).scalar_subquery()
        ended = select(flow_runs.c.id, flow_runs.c.end_time, place.label("place")).where(
            flow_runs.c.state_type.in_(sorted(ENDED)),
            flow_runs.c.clock_time.is_(None) | (flow_runs.c.clock_time < newest),
        )
        ranked = ended.subquery()
        goes = (ranked.c.end_time < before, ranked.c.place > self.keep_last)
        return select(ranked.c.id).where(*goes).order_by(ranked.c.end_time)


_STILL_ENDED: Final = (
    select(flow_runs.c.id)
    .where(flow_runs.c.id.in_(bindparam("ids", expanding=True)), flow_runs.c.state_type.in_(sorted(ENDED)))
    .with_for_update(skip_locked=True)
)
"""A run may have been restarted since it was chosen, or is just now."""
_DELETE: Final = delete(flow_runs).where(flow_runs.c.id.in_(bindparam("ids", expanding=True)))


def prune(database: Database, which: Pruning) -> Iterator[int]:
    """Delete runs with their task runs, states and logs, in parts; yield after each how many that were so far."""
    with database.reading() as connection:
        chosen = which.runs(connection)
    done = 0
    for begin in range(0, len(chosen), _PART):
        with database.writing() as connection:
            part = list(connection.execute(_STILL_ENDED, {"ids": chosen[begin : begin + _PART]}).scalars())
            connection.execute(_DELETE, {"ids": part})
        done += len(part)
        yield done
