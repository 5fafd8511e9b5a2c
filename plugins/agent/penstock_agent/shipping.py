"""Sending a spool to a backend: by the process that writes it, or by the agent that it lends it to."""

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

from penstock import errors
from penstock.backends import Backend
from penstock.backends.models import Log, StateReport
from penstock_agent.spool import Place, Spool, parsed, path_of

if TYPE_CHECKING:
    from penstock.hooks.kinds import KindSpec
    from penstock_agent.job import Job

BATCH: Final = 500
FLUSH_SECONDS: Final = 0.2
"""How long what was noted waits to be sent together with more."""
_log: Final = logging.getLogger("penstock.agent")
_Model = TypeVar("_Model", Log, StateReport)


class NotLentError(Exception):
    """The process that writes a spool sends it itself."""


def once(send: Callable[[], None]) -> None:
    """Send, and let who called deal with a backend that is away."""
    send()


class Shipper:
    """Sends the records of *spool* in order. *persist* calls what sends, as often as it takes.

    The position of a log line among the lines of the spool is its sequence number, so that whoever sends it again
    sends the same, and the backend drops it. A line goes before the states of its batch: who waits for the end of
    a run has its lines then.
    """

    def __init__(
        self,
        backend: Backend,
        spool: Spool,
        run: str,
        fence: int,
        attempt: int,
        persist: Callable[[Callable[[], None]], None] = once,
        *,
        borrowed: bool = False,
    ) -> None:
        """Go on where who sent it before had come to; with *borrowed* only as long as the spool is lent."""
        self._backend = backend
        self._spool = spool
        self._run, self._fence, self._attempt = run, fence, attempt
        self._persist = persist
        self._borrowed = borrowed
        self.place = spool.place()

    def ship(self) -> int:
        """Send the next batch; return how many records it had, BATCH if more may be waiting and 0 if none was.

        Raises BackendError, of which LeaseLostError is final, and NotLentError.
        """
        while lines := self._spool.read(self.place.position):
            if self._borrowed and not self._spool.is_lent():  # asked after reading: it may have been begun anew since
                raise NotLentError
            batch = lines.splitlines(keepends=True)[:BATCH]
            records = [record for record in map(parsed, batch) if record is not None]
            noted = [record["line"] for record in records if "line" in record]
            logs = [
                log
                for number, line in enumerate(noted, start=self.place.lines + 1)
                for log in _made(Log, line, sequence=number, attempt=self._attempt)
            ]
            reports = [one for record in records if "state" in record for one in _made(StateReport, record["state"])]
            self._send(self._backend.report_logs, logs)
            self._send(self._backend.report_states, reports)
            self.place = Place(self.place.position + sum(map(len, batch)), self.place.lines + len(noted))
            if noted or reports:
                return len(batch)
        return 0

    def _send(self, report: Callable[[str, int, Sequence[_Model]], None], items: Sequence[_Model]) -> None:
        """Send *items* in order. If one of them is refused, and so all are, halve them until it stands alone."""
        if not items:
            return
        try:
            self._persist(lambda: report(self._run, self._fence, items))
        except errors.LeaseLostError:
            raise
        except errors.ConflictError as error:
            if len(items) == 1:
                _log.warning("The backend refused what a run reported: %s", error)
                return
            middle = len(items) // 2
            self._send(report, items[:middle])
            self._send(report, items[middle:])


def _made(kind: type[_Model], data: Any, **more: Any) -> list[_Model]:
    """Return what *data* of a record stands for; nothing, and a warning, if it is not what a process writes."""
    try:
        return [kind(**data, **more)]
    except (TypeError, ValueError) as error:
        _log.warning("A record in the spool of a run is left out: %s", error)
        return []


def send_all(job: "Job") -> None:
    """Send what the process of *job* has noted and nobody has sent, and delete its spool; raises BackendError."""
    claim = job.claim
    spool = Spool(path_of(claim.run.id, claim.fence))
    shipper = Shipper(Backend.restore(job.backend), spool, claim.run.id, claim.fence, claim.run.attempt)
    while shipper.ship():
        pass
    spool.remove()


def known_as(backend: "KindSpec") -> str:
    """Return what tells a backend from others and gives nothing of its options away."""
    return sha256(backend.model_dump_json().encode()).hexdigest()
