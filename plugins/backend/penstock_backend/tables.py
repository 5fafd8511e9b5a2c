"""The tables, as this version of penstock knows them; `migrations` brings a database to this form.

The current state of a run stands in its row, beside the version of the history entry that it repeats.
"""

from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects import sqlite

AnyRow: TypeAlias = Row[Any]

NAME_LENGTH: Final = 255
NOT_MAPPED: Final = -1
"""The map index of a task run that is no mapped child: a column of a unique key may not be null."""


class _SQLiteDateTime(sqlite.DATETIME):
    """SQLite's own type, in the same form, written and read by `datetime` itself, which takes a tenth of the time."""

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what writes a moment."""
        return lambda value: value.isoformat(" ", "microseconds") if value is not None else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - as above
        """Return what reads a moment."""
        return lambda text: datetime.fromisoformat(text) if text is not None else None


class UTCDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, in UTC in the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the database's own type."""
        own: Any = _SQLiteDateTime if dialect.name == "sqlite" else DateTime
        return dialect.type_descriptor(own(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment into UTC; SQLite keeps no zone."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text, with a replacement character for what a database cannot keep in one: NUL, and halves of surrogate pairs."""

    impl: Any = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text as it can be kept."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        kept = value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="surrogatepass")
        return kept.decode(errors="replace")


class Name(Words):
    """Text of at most `NAME_LENGTH` characters."""

    impl = String(NAME_LENGTH)
    cache_ok = True


def columns_of(row: AnyRow) -> dict[str, Any]:
    """Return the values of *row* by column."""
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


metadata: Final = MetaData()


def _id() -> Column[str]:
    return Column("id", String(36), primary_key=True)


def _name(name: str = "name", *, nullable: bool = False) -> Column[str]:
    return Column(name, Name, nullable=nullable)


def _flow_run(*, primary_key: bool = False) -> Column[str]:
    key = ForeignKey("flow_runs.id", ondelete="CASCADE")
    return Column("flow_run_id", String(36), key, primary_key=primary_key, nullable=False)


def _state(*, history: bool = False) -> list[Column[Any]]:
    """Return the columns of a state: an entry of a history, or the newest one in the row of its run."""
    return [
        Column("attempt", Integer, nullable=False),
        Column("state_version", Integer, primary_key=history, autoincrement=False, nullable=False),
        Column("state_type", String(32), nullable=False),
        Column("state_timestamp", UTCDateTime, nullable=False),
        Column("state_data", JSON, nullable=False),
    ]


projects: Final = Table(
    "projects",
    metadata,
    _id(),
    _name(),
    Column("description", Words, nullable=False),
    Column("created", UTCDateTime, nullable=False),
    UniqueConstraint("name"),
)

flows: Final = Table(
    "flows",
    metadata,
    _id(),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    _name(),
    Column("schedule_active", Boolean, nullable=False),
    Column(
        "schedule_since", UTCDateTime
    ),  # when the schedule was last gone on with: what passed before is not made up for
    UniqueConstraint("project_id", "name"),
)

flow_versions: Final = Table(
    "flow_versions",
    metadata,
    _id(),
    Column("flow_id", ForeignKey("flows.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created", UTCDateTime, nullable=False),
    Column("archived", Boolean, nullable=False),
    _name("idempotency_key", nullable=True),
    Column("spec", JSON, nullable=False),
    UniqueConstraint("flow_id", "version"),
)

flow_runs: Final = Table(
    "flow_runs",
    metadata,
    _id(),
    _name(),
    Column("flow_id", ForeignKey("flows.id"), nullable=False),
    Column("flow_version_id", ForeignKey("flow_versions.id"), nullable=False),
    Column("parent", String(36)),
    Column("parameters", JSON, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("executor", JSON(none_as_null=True)),
    Column("created", UTCDateTime, nullable=False),
    Column("scheduled_time", UTCDateTime, nullable=False),
    Column("due", UTCDateTime),  # while the run waits for an agent, from when on one may take it
    Column("start_time", UTCDateTime),
    Column("end_time", UTCDateTime),
    _name("idempotency_key", nullable=True),
    Column("request_digest", String(64)),
    Column("clock_time", UTCDateTime),  # the time that the flow's schedule named; null for a run that was asked for
    Column("clock", String(64), nullable=False, server_default=""),  # the SHA-256 of what the clock gives its runs
    *_state(),
    _name("agent", nullable=True),
    Column("fence", Integer, nullable=False),
    Column("lease_expires", UTCDateTime),
    UniqueConstraint("flow_id", "idempotency_key"),
    UniqueConstraint("flow_id", "clock_time", "clock", name="uq_flow_runs_clock"),
    Index("ix_flow_runs_name", "name"),
    Index("ix_flow_runs_due", "due", "created"),  # of those that are due, as with the tags of task runs
    Index("ix_flow_runs_state_type", "state_type"),
    Index("ix_flow_runs_created", "created"),
    Index("ix_flow_runs_lease_expires", "lease_expires"),
)

flow_run_states: Final = Table(
    "flow_run_states",
    metadata,
    _flow_run(primary_key=True),
    *_state(history=True),
)

task_runs: Final = Table(
    "task_runs",
    metadata,
    _id(),
    _flow_run(),
    Column("position", Integer, nullable=False),
    Column("slug", Words, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("name", Words, nullable=False),
    Column("run_attempt", Integer, nullable=False, server_default="1"),  # of the flow run, in which this last took part
    Column("start_time", UTCDateTime),
    Column("end_time", UTCDateTime),
    Column("tags", JSON(none_as_null=True)),  # while it runs, those it asked a slot for
    *_state(),
    UniqueConstraint("flow_run_id", "slug", "map_index"),
    UniqueConstraint("flow_run_id", "position"),
    Index("ix_task_runs_tags", "flow_run_id"),  # of those that have tags: to say so here would load every dialect
)

task_run_states: Final = Table(
    "task_run_states",
    metadata,
    Column("task_run_id", String(36), ForeignKey("task_runs.id", ondelete="CASCADE"), primary_key=True),
    *_state(history=True),
)

logs: Final = Table(
    "logs",
    metadata,
    _flow_run(primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),  # of the lease under which it was sent
    Column("timestamp", UTCDateTime, nullable=False),
    Column("level", Words, nullable=False),
    Column("logger", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("task", Words),
    UniqueConstraint("flow_run_id", "fence", "sequence", "attempt", name="uq_logs_line"),
)

agents: Final = Table(
    "agents",
    metadata,
    _id(),
    _name(),
    Column("labels", JSON, nullable=False),
    Column("last_seen", UTCDateTime, nullable=False),
    Column("version", String(64), nullable=False),
    UniqueConstraint("name"),
)

documents: Final = Table(
    "documents",
    metadata,
    _id(),
    Column("kind", String(64), nullable=False),
    _name("scope"),
    _name(),
    Column("flow_run_id", String(36), ForeignKey("flow_runs.id", ondelete="CASCADE"), index=True),
    Column("data", JSON, nullable=False),
    Column("updated", UTCDateTime, nullable=False),
    UniqueConstraint("kind", "scope", "name"),
)
