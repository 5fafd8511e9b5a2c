"""Documents, and the tags for which a running task holds slots."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Add the table, and the column with an index of those that hold something."""
    op.create_table(
        "documents",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("flow_run_id", sa.String(36), sa.ForeignKey("flow_runs.id", ondelete="CASCADE")),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("kind", "scope", "name"),
    )
    op.create_index("ix_documents_flow_run_id", "documents", ["flow_run_id"])
    op.add_column("task_runs", sa.Column("tags", sa.JSON))
    held = sa.text("tags IS NOT NULL")
    op.create_index("ix_task_runs_tags", "task_runs", ["flow_run_id"], sqlite_where=held, postgresql_where=held)


def downgrade() -> None:
    """Forget both."""
    op.drop_index("ix_task_runs_tags", "task_runs")
    with op.batch_alter_table("task_runs") as table:
        table.drop_column("tags")
    op.drop_table("documents")
