"""When an agent may take a run stands beside the time it was scheduled for; log lines know under which lease they came.

The levels of lines may have any length: a program names its own.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_MOMENT = sa.DateTime(timezone=True)
_DUE = """
UPDATE flow_runs SET due = scheduled_time WHERE state_type IN ('Scheduled', 'Retrying', 'Resume', 'Queued')
"""
_BEFORE = {"sqlite": "uq_logs_flow_run_id_attempt_sequence", "postgresql": "logs_flow_run_id_attempt_sequence_key"}
"""What the constraint that the first revision left without a name is called here."""
_AFTER = "uq_logs_line"
_NAMES = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}


def upgrade() -> None:
    """Add both. A line that is known was sent under the last lease of its run, as far as can be told."""
    op.add_column("flow_runs", sa.Column("due", _MOMENT))
    op.execute(_DUE)
    op.drop_index("ix_flow_runs_due", "flow_runs")
    due = sa.text("due IS NOT NULL")
    op.create_index("ix_flow_runs_due", "flow_runs", ["due", "created"], sqlite_where=due, postgresql_where=due)
    op.create_index("ix_flow_runs_state_type", "flow_runs", ["state_type"])
    with op.batch_alter_table("logs", naming_convention=_NAMES) as table:
        table.add_column(sa.Column("fence", sa.Integer, nullable=False, server_default="0"))
        table.alter_column("level", existing_type=sa.String(32), type_=sa.Text, existing_nullable=False)
        table.drop_constraint(_BEFORE[op.get_bind().dialect.name], type_="unique")
        table.create_unique_constraint(_AFTER, ["flow_run_id", "fence", "sequence", "attempt"])
    op.execute("UPDATE logs SET fence = (SELECT fence FROM flow_runs WHERE flow_runs.id = logs.flow_run_id)")


def downgrade() -> None:
    """Forget both: runs are due at the time they were scheduled for, and no line is known as one sent again."""
    op.execute("UPDATE logs SET sequence = -position, level = substr(level, 1, 32)")
    with op.batch_alter_table("logs", naming_convention=_NAMES) as table:
        table.drop_constraint(_AFTER, type_="unique")
        table.create_unique_constraint(_BEFORE[op.get_bind().dialect.name], ["flow_run_id", "attempt", "sequence"])
        table.alter_column("level", existing_type=sa.Text, type_=sa.String(32), existing_nullable=False)
        table.drop_column("fence")
    op.execute("UPDATE flow_runs SET scheduled_time = due WHERE due IS NOT NULL")
    op.drop_index("ix_flow_runs_state_type", "flow_runs")
    op.drop_index("ix_flow_runs_due", "flow_runs")
    op.create_index("ix_flow_runs_due", "flow_runs", ["state_type", "scheduled_time"])
    op.drop_column("flow_runs", "due")
