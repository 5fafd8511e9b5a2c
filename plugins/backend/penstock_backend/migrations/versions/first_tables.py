"""Projects, flows, runs, their states and logs, agents."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TABLES = (
    "agents", "logs", "task_run_states", "task_runs", "flow_run_states", "flow_runs",
    "flow_versions", "flows", "projects",
)  # fmt: skip
_MOMENT = sa.DateTime(timezone=True)
_NAME = sa.String(255)
_ID = sa.String(36)


def upgrade() -> None:
    """Make the tables."""
    _make_flows()
    _make_flow_runs()
    _make_task_runs()
    _make_logs_and_agents()


def downgrade() -> None:
    """Drop the tables, and everything in them."""
    for table in _TABLES:
        op.drop_table(table)


def _state(*, history: bool = False) -> list[sa.Column[Any]]:
    return [
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state_version", sa.Integer, primary_key=history, autoincrement=False, nullable=False),
        sa.Column("state_type", sa.String(32), nullable=False),
        sa.Column("state_timestamp", _MOMENT, nullable=False),
        sa.Column("state_data", sa.JSON, nullable=False),
    ]


def _make_flows() -> None:
    op.create_table(
        "projects",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "flows",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("project_id", _ID, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("schedule_active", sa.Boolean, nullable=False),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "flow_versions",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("flow_id", _ID, sa.ForeignKey("flows.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("idempotency_key", _NAME),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.UniqueConstraint("flow_id", "version"),
    )


def _make_flow_runs() -> None:
    op.create_table(
        "flow_runs",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("flow_id", _ID, sa.ForeignKey("flows.id"), nullable=False),
        sa.Column("flow_version_id", _ID, sa.ForeignKey("flow_versions.id"), nullable=False),
        sa.Column("parent", _ID),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("executor", sa.JSON),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("scheduled_time", _MOMENT, nullable=False),
        sa.Column("start_time", _MOMENT),
        sa.Column("end_time", _MOMENT),
        sa.Column("idempotency_key", _NAME),
        sa.Column("request_digest", sa.String(64)),
        sa.Column("clock_time", _MOMENT),
        *_state(),
        sa.Column("agent", _NAME),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("lease_expires", _MOMENT),
        sa.UniqueConstraint("flow_id", "idempotency_key"),
        sa.UniqueConstraint("flow_id", "clock_time"),
    )
    op.create_index("ix_flow_runs_name", "flow_runs", ["name"])
    op.create_index("ix_flow_runs_due", "flow_runs", ["state_type", "scheduled_time"])
    op.create_index("ix_flow_runs_created", "flow_runs", ["created"])
    op.create_index("ix_flow_runs_lease_expires", "flow_runs", ["lease_expires"])
    op.create_table("flow_run_states", _of_flow_run(primary_key=True), *_state(history=True))


def _make_task_runs() -> None:
    op.create_table(
        "task_runs",
        sa.Column("id", _ID, primary_key=True),
        _of_flow_run(),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("map_index", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("start_time", _MOMENT),
        sa.Column("end_time", _MOMENT),
        *_state(),
        sa.UniqueConstraint("flow_run_id", "slug", "map_index"),
        sa.UniqueConstraint("flow_run_id", "position"),
    )
    of_task_run = sa.ForeignKey("task_runs.id", ondelete="CASCADE")
    op.create_table(
        "task_run_states", sa.Column("task_run_id", _ID, of_task_run, primary_key=True), *_state(history=True)
    )


def _make_logs_and_agents() -> None:
    op.create_table(
        "logs",
        _of_flow_run(primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("timestamp", _MOMENT, nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("logger", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("task", sa.Text),
        sa.UniqueConstraint("flow_run_id", "attempt", "sequence"),
    )
    op.create_table(
        "agents",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.UniqueConstraint("name"),
    )


def _of_flow_run(*, primary_key: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey("flow_runs.id", ondelete="CASCADE")
    return sa.Column("flow_run_id", _ID, key, primary_key=primary_key, nullable=False)
