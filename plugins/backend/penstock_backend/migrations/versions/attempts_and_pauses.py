"""Task runs know in which attempt of their flow run they last took part, flows when their schedule was gone on with."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Add the attempt, of which until now there was one, and the time."""
    op.add_column("flows", sa.Column("schedule_since", sa.DateTime(timezone=True)))
    op.add_column("task_runs", sa.Column("run_attempt", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    """Forget both."""
    with op.batch_alter_table("flows") as table:
        table.drop_column("schedule_since")
    with op.batch_alter_table("task_runs") as table:
        table.drop_column("run_attempt")
