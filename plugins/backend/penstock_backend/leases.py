"""Who may run what: claiming, renewing, and ending what nobody renewed."""

import math
from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, Select, Text, bindparam, func, select, update

from penstock import clock, errors, states
from penstock.backends.models import Agent, Claim, Heartbeat
from penstock.settings import OnLost
from penstock_backend import flows, runs
from penstock_backend.database import insert_new, now
from penstock_backend.projects import check_name
from penstock_backend.slots import Slots
from penstock_backend.tables import AnyRow, agents, columns_of, flow_runs
from penstock_backend.transitions import ENDED, UNDER_WAY

SEEN_SECONDS: Final = 10
"""How exact `Agent.last_seen` is: an idle agent asks ten times a second and writes once in this time."""
CANCEL_SECONDS: Final = 60
"""How long a run may be Cancelling before it is ended without its agent."""
LOST_TIMES: Final = 3
"""How often a run begins anew that was lost."""
RESCHEDULED: Final = "Rescheduled"
"""How the message begins of a state in which a lost run waits to begin anew."""
_CROWD: Final = 8
"""How many agents, each taking as much as it may, find something at the same moment."""
_PAGE: Final = 20
_RENEW: Final = update(flow_runs).where(flow_runs.c.id == bindparam("of_run"))
_HELD: Final = (
    select(*[flow_runs.c[name] for name in ("id", "name", "fence", "attempt", "start_time", "end_time")])
    .add_columns(*[flow_runs.c[f"state_{name}"] for name in ("version", "type", "timestamp", "data")])
    .where(flow_runs.c.id == bindparam("run"))
    .with_for_update(key_share=True)
)
"""What has to be known of a run to take a report on it: not what it was asked to do."""
_WAITING: Final = (
    select(flow_runs.c.id, flow_runs.c.labels)
    .where(flow_runs.c.due <= bindparam("now"), (flow_runs.c.labels.cast(Text) != "[]") == bindparam("labelled"))
    .order_by(flow_runs.c.due, flow_runs.c.created)
    .execution_options(yield_per=_PAGE)
)
_STILL_WAITING: Final = (
    select(flow_runs.c.id)
    .where(flow_runs.c.id.in_(bindparam("ids", expanding=True)), flow_runs.c.due.is_not(None))
    .order_by(flow_runs.c.due, flow_runs.c.created)
    .limit(bindparam("limit"))
    .with_for_update(key_share=True, skip_locked=True)
)
_NEXT: Final = select(func.min(flow_runs.c.due)).where(flow_runs.c.due > bindparam("now"))
_AGENT: Final = select(agents).where(agents.c.name == bindparam("name"))


def due(connection: Connection, labels: Collection[str], limit: int, *, locked: bool = False) -> list[str]:
    """Return the ids of up to *limit* runs that an agent with *labels* may take, the longest due first.

    Those are left out for which a label has no slot. With *locked* nobody else gives slots away meanwhile.
    """
    has, slots = set(labels), Slots(connection, "label", locked=locked)
    with connection.execute(_WAITING, {"now": now(connection), "labelled": bool(has)}) as rows:
        fitting = (row for row in rows if set(row.labels) <= has)
        return list(islice((row.id for row in fitting if slots.take(row.labels)), limit))


def seconds_to_next(connection: Connection) -> float:
    """Return how long it takes until the next run becomes due that is not yet; infinity if there is none."""
    moment = now(connection)
    found = connection.execute(_NEXT, {"now": moment}).scalar()
    return (found - moment).total_seconds() if found is not None else math.inf


def due_locked(connection: Connection, labels: Collection[str], limit: int) -> list[str]:
    """Return the ids of runs as `due` does, without those that others are taking now."""
    ids = due(connection, labels, limit * _CROWD, locked=True)
    return [row.id for row in connection.execute(_STILL_WAITING, {"ids": ids, "limit": limit})] if ids else []


def take(connection: Connection, run_id: str, agent: str, lease_seconds: float) -> Claim:
    """Give the run, which is locked, to *agent*, under the next fence."""
    row = runs.find(connection, run_id)
    expires = now(connection) + timedelta(seconds=lease_seconds)
    columns = {"agent": agent, "fence": row.fence + 1, "lease_expires": expires}
    taken = runs.enter(connection, row, states.Submitted(f"Taken by agent {agent}"), **columns)
    spec = flows.spec_of(flows.of_version(connection, row.flow_version_id))
    return Claim(run=taken, fence=row.fence + 1, lease_expires=expires, spec=spec)


def held(connection: Connection, run: str, fence: int) -> AnyRow:
    """Return the row of the run; raises LeaseLostError if *fence* is no longer its own."""
    row = connection.execute(_HELD, {"run": run}).first() or runs.find_locked(connection, run)
    if row.fence != fence:
        message = (
            f'Run "{row.name}" is not held under fence {fence} any more: '
            f"it is {row.state_type} under fence {row.fence}. Stop the process that reported this"
        )
        raise errors.LeaseLostError(message)
    return row


def renew(connection: Connection, run: str, fence: int, lease_seconds: float) -> Heartbeat:
    """Let the lease hold *lease_seconds* from now; an ended run has none, and needs none."""
    row = held(connection, run, fence)
    expires = now(connection) + timedelta(seconds=lease_seconds)
    if row.state_type not in ENDED:
        connection.execute(_RENEW, {"of_run": row.id, "lease_expires": expires})
    return Heartbeat(lease_expires=expires, command="cancel" if row.state_type == "Cancelling" else "continue")


def lost(connection: Connection, moment: datetime | None) -> list[str]:
    """Return the ids of the runs whose lease expired before *moment*, or now, or that were to stop and did not."""
    return [row.id for row in connection.execute(_lost(moment or now(connection)))]


def lost_locked(connection: Connection, moment: datetime | None) -> list[str]:
    """Return the ids of runs as `lost` does, without those that somebody else is changing now."""
    query = _lost(moment or now(connection)).with_for_update(key_share=True, skip_locked=True)
    return [row.id for row in connection.execute(query)]


def _lost(moment: datetime) -> Select[tuple[str]]:
    late = moment - timedelta(seconds=CANCEL_SECONDS)
    stuck = (flow_runs.c.state_type == "Cancelling") & (flow_runs.c.state_timestamp < late)
    return select(flow_runs.c.id).where(
        flow_runs.c.state_type.in_(UNDER_WAY), (flow_runs.c.lease_expires < moment) | stuck
    )


def end(connection: Connection, run_id: str, on_lost: OnLost) -> None:
    """End a lost run, or let it begin anew, under a new fence so that a late report of it is refused."""
    row = runs.find(connection, run_id)
    if row.state_type == "Cancelling":
        told = states.Cancelled(f"Told to stop; agent {row.agent} did not report its end")
        runs.enter(connection, row, told, fence=row.fence + 1)
        return
    lost = (
        f"neither agent {row.agent} nor the run's process renewed the lease, "
        f"which expired at {row.lease_expires:%Y-%m-%d %H:%M:%S} UTC"
    )
    group = flows.group(flows.of_version(connection, row.flow_version_id))
    before = _times_lost(connection, row.id)
    again = (group.get("on_lost") or on_lost) == "reschedule" and before < LOST_TIMES
    given_up = f" once more, after it was rescheduled {before} times" if before else ""
    runs.enter(connection, row, states.Failed(f"Lost{given_up}: {lost}"), fence=row.fence + 1)
    if again:
        message = f"{RESCHEDULED} {before + 1} of {LOST_TIMES}, as it was lost: {lost}"
        runs.reopen(connection, runs.find(connection, run_id), states.Scheduled(message, start_time=clock.now()))


def _times_lost(connection: Connection, run_id: str) -> int:
    """Return how often the run was rescheduled because it was lost, as its history tells."""
    return sum((one.message or "").startswith(RESCHEDULED) for one in runs.list_states(connection, run_id))


def unseen(connection: Connection, name: str, labels: Collection[str]) -> bool:
    """Return whether it is time to note again that the agent *name* is there."""
    recently = clock.now() - timedelta(seconds=SEEN_SECONDS)
    row = connection.execute(_AGENT, {"name": name}).first()
    return row is None or row.last_seen < recently or row.labels != sorted(set(labels))


def note(connection: Connection, name: str, labels: Collection[str], version: str) -> None:
    """Keep that the agent *name* was there now."""
    check_name("agent", name)
    columns = {"labels": sorted(set(labels)), "last_seen": clock.now(), "version": version}
    if not insert_new(connection, agents, {"id": str(uuid4()), "name": name, **columns}):
        connection.execute(update(agents).where(agents.c.name == name).values(**columns))


def list_agents(connection: Connection, limit: int) -> list[Agent]:
    """Return the agents, the last seen first."""
    query = select(agents).order_by(agents.c.last_seen.desc(), agents.c.name).limit(limit)
    return [Agent(**columns_of(row)) for row in connection.execute(query)]
