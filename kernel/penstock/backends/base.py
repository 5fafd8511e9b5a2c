"""The backend kind: who remembers flows and runs, and decides which agent may run what."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from penstock import clock
from penstock.backends import models
from penstock.hooks.kinds import Kind
from penstock.settings import Catchup

if TYPE_CHECKING:
    from penstock.spec import FlowSpec


class Backend(Kind, ABC):
    """The one interface between those who write flows, those who run them and those who watch.

    Synchronous and safe to call from several threads and processes. A returned answer means that it is on disk.
    Every method may raise BackendUnreachableError. Flows are named `(project, name)`, runs by id or by a name
    that only one run has. A backend never unpickles anything and never imports a name found in data.
    """

    kind: ClassVar[str] = "backend"

    # projects

    @abstractmethod
    def create_project(self, name: str, description: str = "") -> models.Project:
        """Return the project *name*, made now if there was none."""

    @abstractmethod
    def list_projects(self, *, limit: int = 200) -> list[models.Project]:
        """Return projects by name."""

    @abstractmethod
    def delete_project(self, name: str) -> None:
        """Delete an empty project; raises UnknownProjectError, ConflictError if it still has flows."""

    # flows

    @abstractmethod
    def register_flow(
        self, spec: "FlowSpec", *, project: str, idempotency_key: str | None = None, schedule_active: bool = True
    ) -> models.RegisteredFlow:
        """Keep *spec* as the next version of its flow and archive the one before.

        The last version is returned instead if it has the same idempotency key. Raises UnknownProjectError
        naming near projects.
        """

    @abstractmethod
    def get_flow(self, project: str, name: str, version: int | None = None) -> models.RegisteredFlow:
        """Return a version of a flow, the newest by default; raises UnknownProjectError, UnknownFlowError."""

    @abstractmethod
    def list_flows(
        self, project: str | None = None, *, archived: bool = False, limit: int = 200
    ) -> list[models.RegisteredFlow]:
        """Return the newest versions, or all with *archived*; raises UnknownProjectError."""

    @abstractmethod
    def set_schedule_active(self, project: str, name: str, *, active: bool) -> models.RegisteredFlow:
        """Pause or go on with a flow's schedule; pausing deletes the scheduled runs that have not begun."""

    @abstractmethod
    def archive_flow(self, project: str, name: str) -> models.RegisteredFlow:
        """Archive the newest version, so that no more runs of the flow can be created."""

    # flow runs

    @abstractmethod
    def create_flow_run(
        self, project: str, flow: str, *, parameters: Mapping[str, Any] | None = None,
        labels: Collection[str] | None = None, scheduled_time: datetime | None = None, name: str | None = None,
        idempotency_key: str | None = None, executor: Mapping[str, Any] | None = None, parent: str | None = None,
    ) -> models.FlowRun:  # fmt: skip
        """Create a Scheduled run of the newest version, due at *scheduled_time* (UTC; now by default).

        *labels* replace the flow's. Raises UnknownProjectError, UnknownFlowError, ParameterError for a missing or
        unknown parameter, ConflictError if the idempotency key was used with another body; with the same body
        the run of then is returned.
        """

    @abstractmethod
    def get_flow_run(self, run: str) -> models.FlowRun:
        """Return a run; raises UnknownRunError saying which ids an ambiguous name fits."""

    @abstractmethod
    def list_flow_runs(
        self, project: str | None = None, flow: str | None = None, *, state: str | None = None, limit: int = 20
    ) -> list[models.FlowRun]:
        """Return runs, the newest first, of a project, a flow of it, and in a state type if given."""

    @abstractmethod
    def list_task_runs(self, run: str, *, limit: int = 200) -> list[models.TaskRun]:
        """Return the task runs of a flow run, in the order in which they were first heard of."""

    @abstractmethod
    def wait_for_flow_run(self, run: str, timeout: float | None = None) -> models.FlowRun:
        """Return the run once it is in a terminal state; raises TimeoutError after *timeout* seconds."""

    @abstractmethod
    def cancel_flow_run(self, run: str) -> models.FlowRun:
        """End a run: at once if it has not begun, else by telling its agent; no-op on an ended run."""

    @abstractmethod
    def restart_flow_run(self, run: str, *, tasks: Collection[str] = (), plan_only: bool = False) -> models.RestartPlan:
        """Open another attempt of an ended run, which uses what succeeded before where its result can be read.

        *tasks*, by name or slug, and what depends on them run again in any case. With *plan_only* nothing is changed.
        Raises ConflictError for a run that has not ended, UnknownTaskError.
        """

    @abstractmethod
    def set_state(self, run: str, state: Mapping[str, Any], *, task: str | None = None) -> models.FlowRun:
        """Bring a run, or a *task* run of it such as `measure[3]`, into *state* (`State.serialize()`) by hand.

        Resume lets a paused run go on; a run that is ended by hand while it is under way is stopped. Raises
        ConflictError for a state that only a process brings about, or for a task of a run that is under way.
        """

    @abstractmethod
    def delete_flow_run(self, run: str) -> None:
        """Delete a run with its task runs and logs; raises ConflictError while it is under way."""

    @abstractmethod
    def list_states(self, run: str) -> list[models.StateRecord]:
        """Return every state that a flow run has been in, the oldest first."""

    @abstractmethod
    def list_logs(self, run: str, *, after: int = 0, limit: int = 1000) -> list[models.Log]:
        """Return the lines that a run logged, in order, without the first *after* of them."""

    # agents

    @abstractmethod
    def claim(
        self, agent: str, labels: Collection[str] = (), *, limit: int = 1, lease_seconds: float = 30.0
    ) -> list[models.Claim]:
        """Take up to *limit* runs that are due and whose labels *labels* are a superset of.

        A run without labels goes to an agent without labels only. Each run is Submitted and held by *agent* until
        the lease expires, under a fence greater than any before.
        """

    def watch_due_runs(self, stop: threading.Event, seconds: float) -> Iterator[None]:
        """Yield whenever it is worth to claim, until *stop* is set: at the soonest *seconds* after the last time.

        A run may have become due then, or a slot free. A backend that does not know yields every *seconds*.
        """
        while not clock.wait(stop, seconds):
            yield

    @abstractmethod
    def heartbeat(self, run: str, fence: int, *, lease_seconds: float = 30.0) -> models.Heartbeat:
        """Renew a lease; raises LeaseLostError if *fence* is no longer the run's."""

    @abstractmethod
    def report_states(self, run: str, fence: int, reports: Sequence[models.StateReport]) -> None:
        """Take up states of a run and its task runs, in order, all or none.

        Repeating the state a run is in is no error. Raises LeaseLostError for a stale fence, LimitReachedError where a
        tag has no slot left, ConflictError for a state that may not follow a terminal one.
        """

    @abstractmethod
    def report_logs(self, run: str, fence: int, logs: Sequence[models.Log]) -> None:
        """Keep log lines; one that is there already (same attempt and sequence) is dropped."""

    @abstractmethod
    def end_lost_runs(self, now: datetime | None = None) -> int:
        """End every run whose lease expired before *now* as Failed with the reason; return how many there were.

        Where the setting or the flow's group says `reschedule`, a run begins another attempt instead, three times.
        """

    @abstractmethod
    def list_agents(self, *, limit: int = 200) -> list[models.Agent]:
        """Return the agents that have asked for work, the last seen first."""

    # schedules

    @abstractmethod
    def schedule_due(self, now: datetime | None = None, *, ahead: int = 10, catchup: Catchup | None = None) -> int:
        """Create the coming runs of every active schedule; return how many were new.

        * Idempotent: a run is unique by flow, UTC time, and the parameters and labels that its clock gives it, so any
          number of callers may call at once. Classes of schedules are restored here, in the scheduler's process, and
          nowhere else.
        * Of the times that have passed since the last one that has a run, *catchup* (the setting if not given) says
          which become runs, too: none, the latest, or all. None is ever made for a time before the version of the flow
          was registered or its schedule was last resumed.
        """

    # documents

    @abstractmethod
    def put_document(self, document: models.Document) -> models.Document:
        """Keep *document* in the place of the one with its kind, scope and name, and return it as it is kept.

        Raises DocumentError for data that does not fit its kind or takes more than 256 KiB as JSON, and
        UnknownProjectError, UnknownFlowError or UnknownRunError for what it is about.
        """

    @abstractmethod
    def list_documents(
        self, kind: str, scope: str | None = None, *, name: str | None = None, limit: int = 200
    ) -> list[models.Document]:
        """Return documents of a kind by scope and name: of one *scope*, and of one *name*, if given."""

    @abstractmethod
    def delete_document(self, kind: str, name: str, scope: str = "") -> bool:
        """Delete a document; return whether it was there."""

    def close(self) -> None:
        """Let go of connections; the backend may be used again afterwards."""
