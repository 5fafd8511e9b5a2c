"""One run under way: its process, its lease, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from penstock import clock, errors, states
from penstock.backends import Backend
from penstock.backends.models import Claim, FlowRun
from penstock.run_configs.base import Launched
from penstock_agent.causes import cause
from penstock_agent.endings import ended
from penstock_agent.events import Event
from penstock_agent.shipping import BATCH, FLUSH_SECONDS, NotLentError, Shipper
from penstock_agent.spool import Origin, Spool

Reason = Literal["cancel", "shutdown", "lost"]


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take, in seconds."""

    lease: float
    heartbeat: float
    grace: float


class Supervised:
    """A run that this agent holds, from its claim until the backend knows how it ended."""

    def __init__(
        self,
        backend: Backend,
        claim: Claim,
        process: Launched | None,
        times: Times,
        tell: Callable[[Event], None],
        spool: Spool | None,
        fault: str = "",
    ) -> None:
        """Watch over *process*, which writes *spool*; without one, *fault* says why there is none.

        What is in a spool that the process lends is sent from here: it then has more time for the run.
        """
        self.claim = claim
        self._backend = backend
        self._spool = spool
        self._tell = tell
        self._process = process
        self._times = times
        self._beat_at = clock.monotonic() + times.heartbeat
        self._ship_at = 0.0
        self._shipper: Shipper | None = None
        if spool is not None:
            self._shipper = Shipper(backend, spool, claim.run.id, claim.fence, claim.run.attempt, borrowed=True)
        self._kill_at: float | None = None
        self._reason: Reason | None = None
        self._end: states.State | None = states.Failed(fault) if process is None else None

    def tend(self) -> bool:
        """Look after the process, without asking the backend; return whether it has ended."""
        if self._end is None and self._process is not None:
            code = self._process.poll()
            if code is not None:
                self._end = self._ended_with(code)
            elif self._kill_at is not None and clock.monotonic() >= self._kill_at:
                self._process.kill()
        return self._end is not None

    def stop(self, reason: Reason) -> None:
        """Ask the process to end, and have it killed after the grace time, or at once if the run is lost."""
        if self._reason is None and self._process is not None:
            self._reason = reason
            self._kill_at = clock.monotonic() + (0 if reason == "lost" else self._times.grace)
            self._process.terminate()

    def kill(self, reason: Reason) -> None:
        """Have the process killed when it is tended the next time."""
        self.stop(reason)
        self._kill_at = clock.monotonic()

    def report(self) -> FlowRun | None:
        """Tell the backend what is due; return the run once it has ended and the backend knows."""
        if self._end is None:
            try:
                self._ship()
                self._renew()
            except (errors.LeaseLostError, errors.UnknownRunError):
                self._shipper = None
                self.stop("lost")
            return None
        run = self.claim.run
        origin = Origin(run=run.id, fence=self.claim.fence, attempt=run.attempt)
        return ended(self._backend, self._spool, origin, self._end, self._tell) or run

    def _ship(self) -> None:
        """Send what the process has noted, a batch at a time, until it sends that itself."""
        if self._shipper is None or self._spool is None:
            return
        if clock.monotonic() < self._ship_at and not self._spool.is_finished():
            return
        before = self._shipper.place
        try:
            sent = self._shipper.ship()
        except NotLentError:
            self._shipper = None
            return
        if self._shipper.place != before:
            self._spool.mark(self._shipper.place)
        if 0 < sent < BATCH:  # what comes next waits to be many
            self._ship_at = clock.monotonic() + FLUSH_SECONDS

    def _renew(self) -> None:
        now = clock.monotonic()
        if now < self._beat_at:
            return
        answer = self._backend.heartbeat(self.claim.run.id, self.claim.fence, lease_seconds=self._times.lease)
        self._beat_at = now + self._times.heartbeat
        if answer.command == "cancel":
            self.stop("cancel")

    def _ended_with(self, code: int) -> states.State:
        if self._reason == "cancel":
            return states.Cancelled("Cancelled, and its process ended")
        if self._reason == "shutdown":
            return states.Failed(f"Agent {self.claim.run.agent} was stopped while the run was under way")
        return states.Failed(cause(code))
