"""Slots of limited tags: a task with one of these asks the backend before it runs, and waits if none is free."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from penstock import clock, errors
from penstock.backends.models import StateReport
from penstock.engine.runs import FlowRun, TaskRun
from penstock.hooks.markers import hookimpl
from penstock.states import Queued, State
from penstock_agent.reporter import metadata

if TYPE_CHECKING:
    from penstock.backends import Backend
    from penstock.backends.models import Claim

ASK_AGAIN: Final = timedelta(seconds=1)
_log: Final = logging.getLogger("penstock.agent")


class Slots:
    """Lets tasks of the run of *claim* that have one of the *limited* tags run only while they hold slots."""

    def __init__(self, backend: "Backend", claim: "Claim", limited: Iterable[str]) -> None:
        """Ask *backend*."""
        self._backend = backend
        self._run, self._fence = claim.run.id, claim.fence
        self._limited = frozenset(limited)
        self._full: dict[str, datetime] = {}
        """When to ask again for a tag that had no slot left: its other tasks need not ask until then."""

    @hookimpl
    def penstock_propose_state(self, run: FlowRun | TaskRun, new: State) -> State | None:
        """Take a slot of each limited tag for a task that is to run, or let it wait until it asks again."""
        if not isinstance(run, TaskRun) or run.flow_run.id != self._run or not new.is_running():
            return None
        tags = sorted(self._limited.intersection(run.tags))
        again = max((self._full[tag] for tag in tags if tag in self._full), default=clock.now())
        if again > clock.now():
            return Queued(_told(tags), start_time=again)
        return self._asked(run, new, tags) if tags else None

    def _asked(self, run: TaskRun, new: State, tags: list[str]) -> State | None:
        report = StateReport(
            state=metadata(new), timestamp=clock.now(), slug=run.slug, name=run.name, map_index=run.map_index,
            attempt=run.attempt or 1, tags=tags,
        )  # fmt: skip
        try:
            self._backend.report_states(self._run, self._fence, [report])
        except errors.LimitReachedError:
            told = _told(tags)
        except errors.LeaseLostError:
            return None  # the reporter hears of it, too, and ends the run
        except errors.BackendUnreachableError as error:
            _log.warning("%s waits, as nobody can say whether there is a slot for it: %s", run.name, error)
            told = "Waiting for the backend to say whether there is a slot"
        else:
            return None
        again = clock.now() + ASK_AGAIN
        self._full.update(dict.fromkeys(tags, again))
        return Queued(told, start_time=again)


def _told(tags: Iterable[str]) -> str:
    return f"Waiting for a slot: {errors.listing(tags)}"


def limited_tags(backend: "Backend", tags: Iterable[str]) -> set[str]:
    """Return those of *tags* that have a limit."""
    wanted = set(tags)
    known = {one.name for one in backend.list_documents("limit", "tag", limit=1_000_000)} if wanted else set[str]()
    return wanted & known
