"""How a run ends whose process did: what it left in its spool is sent, and the backend is told the cause."""

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from penstock import clock, errors, states
from penstock.backends import Backend
from penstock.backends.models import FlowRun, StateReport
from penstock_agent.events import Event
from penstock_agent.shipping import Shipper, known_as
from penstock_agent.spool import Origin, Spool, boot, folder

ABANDONED: Final = "The process of the run ended before the run did, and its agent with it"
_SHOWN: Final = 5
"""How many of the task runs that were under way a message names."""

Tell = Callable[[Event], None]


def ended(backend: Backend, spool: Spool | None, origin: Origin, end: states.State, tell: Tell) -> FlowRun | None:
    """Send what *spool* holds, end the run as *end* unless it said how it ended, and delete the spool.

    Returns the run, or None if there is none any more. Raises BackendUnreachableError, and may be called again then.
    """
    with suppress(errors.UnknownRunError):  # deleted meanwhile
        _send(backend, spool, origin, tell)
        run = _settled(backend, spool, origin, end)
        if spool is not None:
            spool.remove()
        return run
    if spool is not None:
        spool.remove()
    return None


def _send(backend: Backend, spool: Spool | None, origin: Origin, tell: Tell) -> None:
    """Send what was not sent; what is left of a run that somebody else holds is of no use to anybody."""
    if spool is None:
        return
    shipper = Shipper(backend, spool, origin.run, origin.fence, origin.attempt)
    try:
        while shipper.ship():
            pass
    except errors.LeaseLostError as error:
        tell(Event("trouble", f"What a process still had to tell is given up: {error}"))


def _settled(backend: Backend, spool: Spool | None, origin: Origin, end: states.State) -> FlowRun:
    found = backend.get_flow_run(origin.run)
    known = states.State.deserialize({"type": found.state.type})
    if known.is_terminal() or isinstance(known, states.Scheduled):  # or it waits, since it paused or was restarted
        return found
    if found.state.type == "Cancelling":
        end = states.Cancelled("Cancelled, and its process ended")
    elif spool is not None and (more := _more(spool)):
        end = type(end)(f"{end.message}\n{more}")
    report = StateReport(state=end.serialize(), timestamp=clock.now(), attempt=origin.attempt)
    with suppress(errors.ConflictError):  # somebody else said how it ended, or holds it
        backend.report_states(origin.run, origin.fence, [report])
    return backend.get_flow_run(origin.run)


def _more(spool: Spool) -> str | None:
    """Return what a spool tells of how its process ended."""
    names = spool.under_way()
    return spool.fault() or (f"Under way then: {_listed(names)}" if names else None)


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def take_over(backend: Backend, held: Collection[Path], tell: Tell) -> None:
    """End the runs of *backend* on this host that neither a process nor an agent looks after any more.

    *held* are the spools of this process: their locks would be lost with the second file that is closed.
    """
    for path in sorted(set(folder().glob("*.jsonl")) - set(held)):
        spool = Spool(path)
        try:
            if spool.taken_over():
                _taken_over(backend, spool, tell)
        finally:
            spool.close()


def _taken_over(backend: Backend, spool: Spool, tell: Tell) -> None:
    origin = spool.origin()
    if origin is None:  # there was no process
        spool.remove()
    elif origin.backend == known_as(backend.spec()):
        _end_group(origin)
        tell(Event("ended", run=ended(backend, spool, origin, states.Failed(ABANDONED), tell)))


def _end_group(origin: Origin) -> None:
    """Kill what the process left running: its group keeps the number while no other process can have it."""
    if origin.boot and origin.boot == boot() and _is_gone(origin.pid):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(origin.pid, signal.SIGKILL)


def _is_gone(pid: int) -> bool:
    """Return whether no process has the number *pid*, or one that ended and was not waited for; see proc(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"
