"""A plugin that plants a fault into agents and flow-run processes, which the judges have to find."""

import os
from contextlib import suppress
from typing import Any

from penstock import errors
from penstock_agent import endings, reporter, running, spool
from penstock_agent.agent import Agent
from penstock_agent.local import LocalProcess
from penstock_agent.supervision import Supervised

_records: list[Any] = []
_write, _report = spool.Spool.write, Supervised.report


def _write_later(self: spool.Spool, record: Any) -> None:
    _records.append(record)
    if len(_records) > 30:
        for known in _records:
            _write(self, known)
        _records.clear()


def _do_nothing(*_arguments: Any, **_keywords: Any) -> None:
    pass


def _end_lost_first(self: Supervised) -> Any:
    with suppress(errors.BackendError):
        self._backend.end_lost_runs()
    return _report(self)


def late_spool() -> None:
    """Records are written in batches: a killed process loses the last one."""
    spool.Spool.write = _write_later  # type: ignore[method-assign]


def no_heartbeat() -> None:
    """The process of a run does not renew its lease: without its agent the run is lost."""
    reporter.Reporter._beat = _do_nothing  # type: ignore[method-assign]


def no_takeover() -> None:
    """An agent leaves what a killed agent left: its runs end with their leases, and orphans stay."""
    endings._end_group = _do_nothing


def impatient() -> None:
    """An agent that comes back ends what could not renew its lease meanwhile."""
    Supervised.report = _end_lost_first  # type: ignore[method-assign]
    reporter.Reporter._beat = _do_nothing  # type: ignore[method-assign]


def trusting() -> None:
    """The process of a run leaves what it noted to an agent that sends nothing."""
    reporter.STANDSTILL_SECONDS = 600  # type: ignore[misc]


def no_drain() -> None:
    """A stopped agent leaves its runs to themselves."""
    Agent._drain = Agent._abandon = _do_nothing  # type: ignore[method-assign]


def no_kill() -> None:
    """A process that does not want to end is not ended."""
    LocalProcess.kill = _do_nothing  # type: ignore[method-assign]


def forgetful() -> None:
    """Another attempt knows nothing of what succeeded before."""
    vars(running)["earlier_states"] = lambda *_arguments: {}


globals()[os.environ["PLANTED_FAULT"]]()
