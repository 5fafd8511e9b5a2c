"""What a flow-run process tells its backend: noted in a spool at once, and sent from there by its agent.

Where no agent sends it, or that is gone or stands still, or what is noted becomes long, the process sends it itself in
the background. It does not end before all that it noted was sent.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import stamina

from penstock import clock, errors
from penstock.hooks.markers import hookimpl
from penstock.redaction import hidden
from penstock.states import State
from penstock_agent.capture import Line, cut
from penstock_agent.resuming import EMPTY
from penstock_agent.shipping import BATCH, FLUSH_SECONDS, Shipper, known_as
from penstock_agent.spool import Origin, Place, Spool, boot

if TYPE_CHECKING:
    from penstock.backends import Backend
    from penstock.engine.runs import FlowRun, TaskRun
    from penstock_agent.job import Job

PATIENCE_SECONDS: Final = 600
"""How long a backend may be away before what it was to be told is left to the agent."""
RESTART_BYTES: Final = 16 << 20
"""How long a spool becomes before its process begins it anew, once all of it was sent."""
FULL_BYTES: Final = 64 << 20
"""How long a spool becomes before who logs has to wait until it was sent."""
STANDSTILL_SECONDS: Final = 5
"""How long an agent may send nothing of what waits before the process sends it itself."""
_CLOSING_SECONDS: Final = 0.02
"""How often a process that has ended looks whether its agent has sent all."""
_MESSAGE_CHARACTERS: Final = 10_000
_log: Final = logging.getLogger("penstock.agent")
_Item = TypeVar("_Item")


class Reporter:
    """Observes the run of *job*: writes *spool*, and sees that it is sent. *stop* is called to stop the run."""

    def __init__(self, backend: "Backend", job: "Job", spool: Spool, stop: Callable[[], None]) -> None:
        """Prepare; `start` begins to send."""
        self._backend = backend
        self._job = job
        self._spool = spool
        self._stop = stop
        claim = job.claim
        self._run, self._fence, self._attempt = claim.run.id, claim.fence, claim.run.attempt
        self._origin = Origin(
            run=self._run, fence=self._fence, attempt=self._attempt, backend=known_as(job.backend), pid=os.getpid(),
            boot=boot(),
        )  # fmt: skip
        self._shipper = Shipper(backend, spool, self._run, self._fence, self._attempt, persist)
        self._agent_sends = False
        self._agents_place = Place(0, 0)
        self._stands_since: float | None = None
        self._wake = threading.Event()
        self._closing: float | None = None
        self._beat_at = clock.monotonic() + job.heartbeat_seconds
        self._thread = threading.Thread(target=self._work, name="penstock-reporter", daemon=True)
        self.muted = False
        """Set when the run is being ended from outside: what its tasks come to from then on says nothing."""
        self.lost = False
        """Whether somebody else holds the run, or the backend did not answer for too long."""

    def start(self) -> None:
        """Begin to send."""
        self._spool.share()
        self._agent_sends = self._job.agent != 0 and self._spool.lend()
        self._spool.write({"origin": self._origin.model_dump()})
        self._thread.start()

    def close(self) -> None:
        """Send what is left, and stop sending."""
        if self._closing is None:
            self._spool.finish()
        self._closing = clock.monotonic()
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
            of = {"slug": run.slug, "name": run.name, "map_index": run.map_index, "attempt": run.attempt or 1}
            self._note("state", {"state": metadata(new), "timestamp": clock.now(), **of})

    def flow_state(self, state: State) -> None:
        """Note what the flow run came to, and send it at once."""
        if not self.muted:
            report = {"state": metadata(state), "timestamp": clock.now(), "attempt": self._attempt}
            self._note("state", report)
            self._wake.set()

    def line(self, line: Line) -> None:
        """Note a log line."""
        self._note("line", line.data())

    def _note(self, kind: str, record: dict[str, Any]) -> None:
        self._spool.write({kind: record})
        while self._spool.size > FULL_BYTES and self._is_emptied():
            self._wake.set()
            clock.sleep(FLUSH_SECONDS)

    def _is_emptied(self) -> bool:
        """Return whether a thread other than this one sends what lies in the spool; none does in a forked child."""
        return self._thread.is_alive() and self._thread is not threading.current_thread()

    # sending

    def _work(self) -> None:
        while not self.lost:
            self._wake.wait(FLUSH_SECONDS if self._closing is None else _CLOSING_SECONDS)
            self._wake.clear()
            closing = self._closing  # before the last look: what came until then is sent
            try:
                self._flush()
                self._beat()
            except errors.LeaseLostError as error:
                self._give_up(f"The run is no longer this process's: {error}")
            except errors.BackendUnreachableError as error:
                self._give_up(f"The backend has been out of reach for {PATIENCE_SECONDS} s: {error}")
            except Exception as error:  # noqa: BLE001 - a backend is a plugin's code; the agent has the spool
                self._give_up(f"The backend cannot be told: {type(error).__name__}: {error}")
            if closing is not None and (self._is_told() or clock.monotonic() > closing + PATIENCE_SECONDS):
                return

    def _is_told(self) -> bool:
        """Return whether all that was noted was sent."""
        return self._spool.settle() and (not self._agent_sends or self._spool.ends_at(self._agents_place))

    def _flush(self) -> None:
        """Send what was noted. What comes meanwhile waits to be many, unless nothing comes any more."""
        self._spool.settle()
        if self._is_sent_by_agent():
            return
        while sent := self._shipper.ship():
            self._spool.write({"sent": self._shipper.place})
            if sent < BATCH and self._closing is None:
                break
        if self._spool.size > RESTART_BYTES:
            self._shipper.place = self._spool.restart(self._origin, self._shipper.place)

    def _is_sent_by_agent(self) -> bool:
        """Return whether the agent sends what is noted: until it is gone or stands still, or the spool is long."""
        if self._agent_sends:
            is_long = self._spool.size > RESTART_BYTES
            if is_long or os.getppid() != self._job.agent or self._agent_stands_still():
                self._agent_sends = False
                self._shipper.place = self._spool.take_back()
        return self._agent_sends

    def _agent_stands_still(self) -> bool:
        """Return whether the agent has sent nothing for a while, with something to send."""
        before, self._agents_place = self._agents_place, self._spool.place()
        if self._agents_place != before or self._spool.ends_at(self._agents_place):
            self._stands_since = None
        elif self._stands_since is None:
            self._stands_since = clock.monotonic()
        return self._stands_since is not None and clock.monotonic() - self._stands_since >= STANDSTILL_SECONDS

    def _beat(self) -> None:
        if clock.monotonic() < self._beat_at or self._closing is not None:
            return
        self._beat_at = clock.monotonic() + self._job.heartbeat_seconds
        beat = self._backend.heartbeat
        answer = persist(lambda: beat(self._run, self._fence, lease_seconds=self._job.lease_seconds))
        if answer.command == "cancel":  # the agent acts on it too, if it still lives
            self._stop()

    def _give_up(self, reason: str) -> None:
        self.lost = True
        _log.error("%s. The process of the run ends", reason)
        self._stop()


def persist(ask: Callable[[], _Item]) -> _Item:
    """Call *ask* until the backend answers; raises BackendUnreachableError after `PATIENCE_SECONDS`."""
    for attempt in stamina.retry_context(
        on=errors.BackendUnreachableError, attempts=None, timeout=PATIENCE_SECONDS, wait_initial=0.1, wait_max=5.0
    ):
        with attempt:
            return ask()
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
