"""What a flow-run process tells its backend: states and log lines, in batches, from a thread of its own."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import stamina

from penstock import clock, errors
from penstock.backends.models import Log, StateReport
from penstock.hooks.markers import hookimpl
from penstock.redaction import hidden
from penstock.states import State
from penstock_agent.capture import Line, cut
from penstock_agent.resuming import EMPTY

if TYPE_CHECKING:
    from penstock.backends import Backend
    from penstock.engine.runs import FlowRun, TaskRun
    from penstock_agent.job import Job

FLUSH_SECONDS: Final = 0.2
BATCH: Final = 500
PATIENCE_SECONDS: Final = 600
"""How long a backend may be away before what it was to be told is given up."""
_MESSAGE_CHARACTERS: Final = 10_000
_log: Final = logging.getLogger("penstock.agent")
_Item = TypeVar("_Item")


@dataclass(slots=True)
class Report:
    """A transition as it is noted, on the thread of the engine: cheap."""

    data: dict[str, Any]
    timestamp: datetime = field(default_factory=clock.now)
    slug: str | None = None
    name: str | None = None
    map_index: int | None = None
    attempt: int = 1


class Reporter:
    """Observes the run of *job*, and tells *backend* in the background. *stop* is called when the run is to stop."""

    def __init__(self, backend: "Backend", job: "Job", stop: Callable[[], None]) -> None:
        """Prepare; `start` begins to send."""
        self._backend = backend
        self._job = job
        self._stop = stop
        self._run, self._fence, self._attempt = job.claim.run.id, job.claim.fence, job.claim.run.attempt
        self._noted: list[Report | Line] = []
        self._sequence = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._beat_at = clock.monotonic() + job.heartbeat_seconds
        self._thread = threading.Thread(target=self._work, name="penstock-reporter", daemon=True)
        self.muted = False
        """Set when the run is being ended from outside: what its tasks come to from then on says nothing."""
        self.lost = False
        """Whether somebody else holds the run, or the backend did not answer for too long."""

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what is left, and stop sending."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    # what is told

    @hookimpl
    def penstock_flow_run_state(self, run: "FlowRun", new: State) -> None:
        """Note what the flow run came to; runs of other flows inside this one are their own business."""
        if run.id == self._run:
            self.flow_state(new)

    @hookimpl
    def penstock_task_run_state(self, run: "TaskRun", new: State) -> None:
        """Note what a task run came to."""
        if run.flow_run.id == self._run and not self.muted:
            child, attempt = run.map_index, run.attempt or 1
            self._note(Report(metadata(new), slug=run.slug, name=run.name, map_index=child, attempt=attempt))

    def flow_state(self, state: State) -> None:
        """Note what the flow run came to, and send it at once."""
        if not self.muted:
            self._note(Report(metadata(state), attempt=self._attempt))
            self._wake.set()

    def line(self, line: Line) -> None:
        """Note a log line."""
        self._note(line)

    def _note(self, item: Report | Line) -> None:
        with self._lock:
            self._noted.append(item)
            full = len(self._noted) >= BATCH
        if full:
            self._wake.set()

    # sending

    def _work(self) -> None:
        while not self.lost:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            closing = self._closing  # before the last look: what came until then is sent
            try:
                self._flush()
                self._beat()
            except errors.LeaseLostError as error:
                self._give_up(f"The run is no longer this process's: {error}")
            except errors.BackendError as error:
                self._give_up(f"The backend has been out of reach for {PATIENCE_SECONDS} s: {error}")
            if closing:
                return

    def _flush(self) -> None:
        """Send what was noted, in order, the lines of a batch first: who waits for the end of the run has them then."""
        while self._noted:
            with self._lock:
                batch, self._noted[:BATCH] = self._noted[:BATCH], []
            self._send_lines([item for item in batch if isinstance(item, Line)])
            self._send_states([_report(item) for item in batch if isinstance(item, Report)])

    def _send_lines(self, lines: Sequence[Line]) -> None:
        if not lines:
            return
        numbered = list(enumerate(lines, start=self._sequence + 1))
        self._sequence += len(lines)
        logs = [Log(sequence=number, attempt=self._attempt, **asdict(line)) for number, line in numbered]
        self._persist(lambda: self._backend.report_logs(self._run, self._fence, logs))

    def _send_states(self, reports: Sequence[StateReport]) -> None:
        if not reports:
            return
        try:
            self._persist(lambda: self._backend.report_states(self._run, self._fence, reports))
        except errors.LeaseLostError:
            raise
        except errors.ConflictError as error:
            if len(reports) == 1:
                _log.warning("The backend refused a state: %s", error)
                return
            for report in reports:  # one of them is refused, and with it the whole batch was
                self._send_states([report])

    def _beat(self) -> None:
        if clock.monotonic() < self._beat_at or self._closing:
            return
        self._beat_at = clock.monotonic() + self._job.heartbeat_seconds
        beat = self._backend.heartbeat
        answer = self._persist(lambda: beat(self._run, self._fence, lease_seconds=self._job.lease_seconds))
        if answer.command == "cancel":  # the agent acts on it too, if it still lives
            self._stop()

    def _give_up(self, reason: str) -> None:
        self.lost = True
        _log.error("%s. The process of the run ends", reason)
        self._stop()

    @staticmethod
    def _persist(send: Callable[[], _Item]) -> _Item:
        """Call *send* until the backend answers."""
        for attempt in stamina.retry_context(
            on=errors.BackendUnreachableError, attempts=None, timeout=PATIENCE_SECONDS, wait_initial=0.1, wait_max=5.0
        ):
            with attempt:
                return send()
        raise AssertionError  # stamina raises the last error instead


def metadata(state: State) -> dict[str, Any]:
    """Return what a backend may know of *state*: no value, no secret, and of an exception type, message and frames."""
    data = state.serialize()
    if state.result is None and state.is_successful():
        data[EMPTY] = True
    if data["message"] is not None:
        data["message"] = cut(str(data["message"]), _MESSAGE_CHARACTERS)
    exception = (state.context or {}).get("exception")
    if exception is not None:
        data["exception"] = {**exception, "message": cut(exception["message"], _MESSAGE_CHARACTERS)}
    return dict(hidden(data))


def _report(noted: Report) -> StateReport:
    return StateReport(
        state=noted.data, timestamp=noted.timestamp, slug=noted.slug, name=noted.name, map_index=noted.map_index,
        attempt=noted.attempt,
    )  # fmt: skip
