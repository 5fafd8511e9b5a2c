"""Limits: how many runs with a label, and tasks with a tag, may be under way at once.

Nothing is counted in a column: who holds a slot is whoever is under way now, under a lease that has not expired.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from penstock import errors
from penstock_backend.database import now
from penstock_backend.tables import documents, flow_runs, task_runs
from penstock_backend.transitions import UNDER_WAY

SCOPES: Final = ("label", "tag")

_LIMITS: Final = select(documents.c.name, documents.c.data).where(
    documents.c.kind == "limit", documents.c.scope == bindparam("of_scope")
)
_LOCKED_LIMITS: Final = _LIMITS.order_by(documents.c.name).with_for_update(key_share=True)
_LIVE: Final = (flow_runs.c.state_type.in_(sorted(UNDER_WAY)), flow_runs.c.lease_expires >= bindparam("now"))
_HOLDERS: Final[Mapping[str, Any]] = {
    "label": select(flow_runs.c.labels).where(*_LIVE),
    "tag": select(task_runs.c.tags).join_from(task_runs, flow_runs).where(task_runs.c.tags.is_not(None), *_LIVE),
}


def used(connection: Connection, scope: str) -> Counter[str]:
    """Return how many slots are held, by label or by tag."""
    rows = connection.execute(_HOLDERS[scope], {"now": now(connection)})
    return Counter(name for row in rows for name in row[0])


class Slots:
    """The slots that are free, for one decision; *locked*, nobody else decides before this transaction ends."""

    def __init__(self, connection: Connection, scope: str, *, locked: bool) -> None:
        """Look nothing up before somebody asks for a slot."""
        self._connection = connection
        self._scope = scope
        self._query = _LOCKED_LIMITS if locked else _LIMITS
        self._free: dict[str, int] | None = None

    def take(self, names: Collection[str]) -> bool:
        """Return whether there was a slot for each of *names* that is limited, and take them."""
        return not names or not self.full(names)

    def full(self, names: Collection[str]) -> str | None:
        """Take a slot for each of *names* that is limited, and return None; or the first that has none left."""
        free = self._found()
        limited = sorted(free.keys() & set(names))
        for name in limited:
            if free[name] < 1:
                return name
        for name in limited:
            free[name] -= 1
        return None

    def _found(self) -> dict[str, int]:
        if self._free is None:
            limits = self._connection.execute(self._query, {"of_scope": self._scope}).all()
            held = used(self._connection, self._scope) if limits else Counter[str]()
            self._free = {row.name: row.data["slots"] - held[row.name] for row in limits}
        return self._free


def refuse_full(connection: Connection, tags: Collection[str], task: str) -> None:
    """Raise LimitReachedError if a tag of *task* has no slot left."""
    full = Slots(connection, "tag", locked=True).full(tags)
    if full is not None:
        message = f'Task run "{task}" has to wait: all slots of the tag "{full}" are taken'
        raise errors.LimitReachedError(f"{message}. See them: penstock limits list")
