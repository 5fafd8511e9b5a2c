"""Runs that several clocks of one schedule ask for at one time."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BEFORE = {"sqlite": "uq_flow_runs_flow_id_clock_time", "postgresql": "flow_runs_flow_id_clock_time_key"}
"""What the constraint that the first revision left without a name is called here."""
_AFTER = "uq_flow_runs_clock"
_NAMES = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}


def upgrade() -> None:
    """Add what the clock gives its runs to what there is one run of."""
    with op.batch_alter_table("flow_runs", naming_convention=_NAMES) as table:
        table.add_column(sa.Column("clock", sa.String(64), nullable=False, server_default=""))
        table.drop_constraint(_BEFORE[op.get_bind().dialect.name], type_="unique")
        table.create_unique_constraint(_AFTER, ["flow_id", "clock_time", "clock"])


def downgrade() -> None:
    """Go back to one run at a time; others become such as were asked for."""
    op.execute("UPDATE flow_runs SET clock_time = NULL WHERE clock <> ''")
    with op.batch_alter_table("flow_runs", naming_convention=_NAMES) as table:
        table.drop_constraint(_AFTER, type_="unique")
        table.create_unique_constraint(_BEFORE[op.get_bind().dialect.name], ["flow_id", "clock_time"])
        table.drop_column("clock")
