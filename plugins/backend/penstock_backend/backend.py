"""The backend on a SQL database."""

import functools
import math
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import importlib_metadata
from pydantic import Field, PrivateAttr, field_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from penstock import clock, errors, settings
from penstock.backends import Backend
from penstock.backends.models import (
    Agent,
    Claim,
    Document,
    FlowRun,
    Heartbeat,
    Log,
    Project,
    RegisteredFlow,
    RestartPlan,
    StateRecord,
    StateReport,
    TaskRun,
)
from penstock.hooks.kinds import sorted_labels
from penstock.settings import Catchup
from penstock_backend import flows, leases, projects, restarts, runs, schedules
from penstock_backend import reports as incoming
from penstock_backend.database import Database
from penstock_backend.postgresql_server import PostgreSQLServer
from penstock_backend.sqlite_file import SQLiteFile
from penstock_backend.transitions import ENDED

if TYPE_CHECKING:
    from penstock.spec import FlowSpec

_WATCH_SECONDS: Final = 0.5
"""How soon is noticed that nobody wants to watch any more."""
_AGAIN_SECONDS: Final = 5.0
"""How often is looked whether a run has ended though nothing tells of it: a pool of connections may drop notices."""
_EXPECTED: Final = "expected sqlite:///PATH or postgresql://USER@HOST/NAME"


class SQLBackend(Backend):
    """Projects, flows, runs and their history in a SQLite file, which is made on first use, or in PostgreSQL.

    Safe for any number of threads and processes, with PostgreSQL on any number of machines. A returned answer is on
    disk.
    """

    type: ClassVar[str] = "sql"
    positional: ClassVar[tuple[str, ...]] = ("url",)

    url: str = Field(description="where the database is: sqlite:///PATH or postgresql://HOST/NAME")

    _database: Database = PrivateAttr()
    _timetable: schedules.Timetable = PrivateAttr(default_factory=schedules.Timetable)

    if TYPE_CHECKING:

        def __init__(self, url: str) -> None:
            """Take the URL with or without its name."""

    @property
    def place(self) -> str:
        """The URL of the database, without the password."""
        return make_url(self.url).render_as_string(hide_password=True)

    def model_post_init(self, _context: Any) -> None:
        """Name the database; nothing is opened yet."""
        self._database = database_at(self.url)

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        return _whole(url)

    # projects

    def create_project(self, name: str, description: str = "") -> Project:
        """Return the project *name*, made now if there was none."""
        with self._database.writing() as connection:
            return projects.create(connection, name, description)

    def list_projects(self, *, limit: int = 200) -> list[Project]:
        """Return projects by name."""
        with self._database.reading() as connection:
            return projects.list_all(connection, limit)

    def delete_project(self, name: str) -> None:
        """Delete a project without flows."""
        with self._database.writing() as connection:
            projects.delete_empty(connection, name)

    # flows

    def register_flow(
        self,
        spec: "FlowSpec",
        *,
        project: str,
        idempotency_key: str | None = None,
        schedule_active: bool = True,
    ) -> RegisteredFlow:
        """Keep *spec* as the next version of its flow; scheduled runs of the one before are dropped."""
        with self._database.writing() as connection:
            return flows.register(connection, spec, project, idempotency_key, schedule_active=schedule_active)

    def get_flow(self, project: str, name: str, version: int | None = None) -> RegisteredFlow:
        """Return a version of a flow, the newest by default."""
        with self._database.reading() as connection:
            return flows.record(flows.find(connection, project, name, version))

    def list_flows(
        self, project: str | None = None, *, archived: bool = False, limit: int = 200
    ) -> list[RegisteredFlow]:
        """Return the versions in use, or all with *archived*."""
        with self._database.reading() as connection:
            return flows.list_versions(connection, project, limit, archived=archived)

    def set_schedule_active(self, project: str, name: str, *, active: bool) -> RegisteredFlow:
        """Pause or go on with a flow's schedule."""
        with self._database.writing() as connection:
            return flows.set_schedule_active(connection, project, name, active=active)

    def archive_flow(self, project: str, name: str) -> RegisteredFlow:
        """Archive the newest version of a flow."""
        with self._database.writing() as connection:
            return flows.archive(connection, project, name)

    # flow runs

    def create_flow_run(
        self,
        project: str,
        flow: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        labels: Collection[str] | None = None,
        scheduled_time: datetime | None = None,
        name: str | None = None,
        idempotency_key: str | None = None,
        executor: Mapping[str, Any] | None = None,
        parent: str | None = None,
    ) -> FlowRun:
        """Create a Scheduled run of the newest version."""
        request = runs.Request(
            parameters=dict(parameters or {}),
            labels=None if labels is None else sorted_labels(labels),
            scheduled_time=scheduled_time,
            name=name,
            executor=None if executor is None else dict(executor),
            parent=parent,
        )
        request.check()
        with self._database.writing() as connection:
            return runs.create(connection, flows.find(connection, project, flow), request, idempotency_key)

    def get_flow_run(self, run: str) -> FlowRun:
        """Return a run by id, or by a name that only one run has."""
        with self._database.reading() as connection:
            return runs.get(connection, run)

    def list_flow_runs(
        self,
        project: str | None = None,
        flow: str | None = None,
        *,
        state: str | None = None,
        limit: int = 20,
    ) -> list[FlowRun]:
        """Return runs, the newest first; *state* takes in the states below it, as Failed does TimedOut."""
        with self._database.reading() as connection:
            return runs.list_runs(connection, project, flow, state, limit)

    def list_task_runs(self, run: str, *, limit: int = 200) -> list[TaskRun]:
        """Return the task runs of a flow run, in the order in which they were first heard of."""
        with self._database.reading() as connection:
            return runs.list_task_runs(connection, run, limit)

    def wait_for_flow_run(self, run: str, timeout: float | None = None) -> FlowRun:
        """Return the run once it has ended, looking again whenever it may have."""
        deadline = math.inf if timeout is None else clock.monotonic() + timeout
        run = self.get_flow_run(run).id  # a name may become ambiguous while waiting
        with self._database.watching() as watch:
            while (found := self.get_flow_run(run)).state.type not in ENDED:
                if (left := deadline - clock.monotonic()) <= 0:
                    message = f'Run "{found.name}" is still {found.state.type} after {timeout} s'
                    raise TimeoutError(message)
                watch.wait(min(_AGAIN_SECONDS, left))
            return found

    def cancel_flow_run(self, run: str) -> FlowRun:
        """End a run: at once if nobody holds it, else by telling its agent."""
        with self._database.writing() as connection:
            return runs.cancel(connection, run)

    def restart_flow_run(self, run: str, *, tasks: Collection[str] = (), plan_only: bool = False) -> RestartPlan:
        """Open another attempt of an ended run, in which *tasks* and what follows them run again in any case."""
        with self._database.reading() if plan_only else self._database.writing() as connection:
            return restarts.restart(connection, run, tasks, plan_only=plan_only)

    def set_state(self, run: str, state: Mapping[str, Any], *, task: str | None = None) -> FlowRun:
        """Bring a run, or a task run of it that nobody is at, into *state* by hand."""
        with self._database.writing() as connection:
            if task is not None:
                return restarts.set_task_state(connection, run, task, state)
            return restarts.set_run_state(connection, run, state)

    def delete_flow_run(self, run: str) -> None:
        """Delete a run with its task runs, states and logs."""
        with self._database.writing() as connection:
            runs.delete_run(connection, run)

    def list_states(self, run: str) -> list[StateRecord]:
        """Return every state that a flow run has been in."""
        with self._database.reading() as connection:
            return runs.list_states(connection, run)

    def list_logs(self, run: str, *, after: int = 0, limit: int = 1000) -> list[Log]:
        """Return log lines of a run after the first *after* of them."""
        with self._database.reading() as connection:
            return runs.list_logs(connection, run, after, limit)

    # agents

    def claim(
        self, agent: str, labels: Collection[str] = (), *, limit: int = 1, lease_seconds: float = 30.0
    ) -> list[Claim]:
        """Take up to *limit* due runs; while nothing is due, only the agent's presence is written, seldom."""
        with self._database.reading() as connection:
            idle = not leases.due(connection, labels, 1) and not leases.unseen(connection, agent, labels)
        if idle:
            return []
        with self._database.writing() as connection:
            leases.note(connection, agent, labels, _version())
            found = leases.due_locked(connection, labels, limit)
            return [leases.take(connection, run, agent, lease_seconds) for run in found]

    def watch_due_runs(self, stop: threading.Event, seconds: float) -> Iterator[None]:
        """Yield when a run has become due or has ended, told by the database, or when the next one's time has come."""
        with self._database.watching() as watch:
            while not clock.wait(stop, seconds):
                with self._database.reading() as connection:  # before the claim: what becomes due after it is seen here
                    until = clock.monotonic() + leases.seconds_to_next(connection)
                yield
                while not stop.is_set() and (left := until - clock.monotonic()) > 0:
                    if watch.wait(min(_WATCH_SECONDS, left)):
                        break

    def heartbeat(self, run: str, fence: int, *, lease_seconds: float = 30.0) -> Heartbeat:
        """Renew a lease."""
        with self._database.writing() as connection:
            return leases.renew(connection, run, fence, lease_seconds)

    def report_states(self, run: str, fence: int, reports: Sequence[StateReport]) -> None:
        """Take up states of a run and its task runs, in order, all or none."""
        with self._database.writing() as connection:
            incoming.take_states(connection, leases.held(connection, run, fence), reports)

    def report_logs(self, run: str, fence: int, logs: Sequence[Log]) -> None:
        """Keep log lines that are not there yet."""
        with self._database.writing() as connection:
            incoming.take_logs(connection, leases.held(connection, run, fence).id, fence, logs)

    def end_lost_runs(self, now: datetime | None = None) -> int:
        """End every run whose lease expired before *now*, and those that were told to stop long ago."""
        with self._database.reading() as connection:
            if not leases.lost(connection, now):
                return 0
        with self._database.writing() as connection:
            lost = leases.lost_locked(connection, now)
            for run in lost:
                leases.end(connection, run, settings.get().scheduler.on_lost)
        return len(lost)

    def list_agents(self, *, limit: int = 200) -> list[Agent]:
        """Return the agents that have asked for work, the last seen first."""
        with self._database.reading() as connection:
            return leases.list_agents(connection, limit)

    # schedules

    def schedule_due(self, now: datetime | None = None, *, ahead: int = 10, catchup: Catchup | None = None) -> int:
        """Create the coming runs of every active schedule, and missed ones; writes only where one is missing."""
        with self._database.reading() as connection:
            rows = flows.scheduled(connection)
        catchup = catchup or settings.get().scheduler.catchup
        wanted = self._timetable.wanted(rows, now or clock.now(), ahead, catchup)
        with self._database.reading() as connection:
            if not schedules.missing(connection, wanted):
                return 0
        with self._database.writing() as connection:
            return schedules.make(connection, wanted)

    # documents

    def put_document(self, document: Document) -> Document:
        """Keep a document in the place of the one with its kind, scope and name."""
        from penstock_backend import documents  # whose models few processes need

        with self._database.writing() as connection:
            return documents.put(connection, document)

    def list_documents(
        self, kind: str, scope: str | None = None, *, name: str | None = None, limit: int = 200
    ) -> list[Document]:
        """Return documents of a kind by scope and name."""
        from penstock_backend import documents

        with self._database.reading() as connection:
            return documents.list_all(connection, kind, scope, name, limit)

    def delete_document(self, kind: str, name: str, scope: str = "") -> bool:
        """Delete a document; return whether it was there."""
        from penstock_backend import documents

        with self._database.writing() as connection:
            return documents.remove(connection, kind, name, scope)

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()


def database_at(url: str) -> Database:
    """Return the database that *url* names, not opened yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SQLiteFile(Path(parsed.database or ""))
    return PostgreSQLServer(parsed)


def _whole(url: str) -> str:
    """Return *url* as other processes can use it; raises SettingsError for another database, or none."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise errors.SettingsError(f"The database URL {url!r} cannot be read; {_EXPECTED}") from error
    scheme = parsed.drivername.partition("+")[0]
    if scheme in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    if scheme != "sqlite":
        raise errors.SettingsError(f"penstock-backend does not keep its data in {scheme}; {_EXPECTED}")
    if not parsed.database or parsed.database == ":memory:":
        message = f"The database URL {url!r} names no file, and other processes must find it; {_EXPECTED}"
        raise errors.SettingsError(message)
    return f"sqlite:///{Path(parsed.database).expanduser().absolute()}"


@functools.cache
def _version() -> str:
    return importlib_metadata.version("penstock")
