"""Notices of runs that have become due or have ended, on PostgreSQL; SQLite has no one to tell."""

from collections.abc import Sequence
from typing import Final

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_FUNCTION: Final = """
CREATE FUNCTION penstock_tell_of_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('penstock_runs', '');
    RETURN NULL;
END
$$
"""
_TRIGGER: Final = """
CREATE TRIGGER penstock_tell_of_runs AFTER INSERT OR UPDATE OF state_type ON flow_runs FOR EACH ROW
WHEN (NEW.state_type NOT IN ('Submitted', 'Running', 'Cancelling', 'ClientFailed', 'Looped'))
EXECUTE FUNCTION penstock_tell_of_runs()
"""
"""A run that is under way changes nothing for those who wait. Of one transaction there is one notice, however many."""


def upgrade() -> None:
    """Add the trigger."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        op.execute(_TRIGGER)


def downgrade() -> None:
    """Be silent again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER penstock_tell_of_runs ON flow_runs")
        op.execute("DROP FUNCTION penstock_tell_of_runs")
