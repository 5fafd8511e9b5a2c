"""What the backend takes for a creation, a transition and a batch of them: SQLite and PostgreSQL, durable commits."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from penstock import clock, states
from penstock.backends.models import Claim, StateReport
from penstock.spec import FlowSpec
from penstock_backend import SQLBackend
from penstock_backend.testing import PostgreSQL
from tests.benchmarks.clusters import figure
from tests.benchmarks.measuring import Row, Timed, compare, wall

BATCH: Final = 500


def backend(size: int, repeats: int) -> Iterator[Row]:
    """Measure *size* creations, as many transitions told one by one, and as many in batches."""
    for name, place in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        with place() as url:
            store = SQLBackend(url)
            store.create_project("bench")
            store.register_flow(FlowSpec(name="hello"), project="bench")
            work = _Work(store, size)
            timed: dict[str, Timed] = {"create": work.create, "single": work.single, "batched": work.batched}
            times = {what: taken / size * 1e6 for what, taken in compare(timed, repeats, wall).items()}
            store.close()
        yield figure(f"{name}, a creation", size, times["create"], "µs", bar=2_000)
        yield figure(f"{name}, a transition", size, times["single"], "µs", bar=1_000)
        yield figure(f"{name}, a transition of {BATCH}", size, times["batched"], "µs", bar=100)


class _Work:
    """A backend with a run that is reported on."""

    def __init__(self, store: SQLBackend, size: int) -> None:
        self._store, self._size = store, size
        self._round = 0
        store.create_flow_run("bench", "hello")
        claims: list[Claim] = store.claim("bench", lease_seconds=3600)
        self._claim = claims[0]

    def create(self) -> None:
        for _ in range(self._size):
            self._store.create_flow_run("bench", "hello", labels=["nobody"])

    def single(self) -> None:
        for report in self._reports():
            self._send([report])

    def batched(self) -> None:
        reports = self._reports()
        for start in range(0, len(reports), BATCH):
            self._send(reports[start : start + BATCH])

    def _send(self, reports: list[StateReport]) -> None:
        self._store.report_states(self._claim.run.id, self._claim.fence, reports)

    def _reports(self) -> list[StateReport]:
        """Return reports of task runs that nobody has heard of yet: each begins, and succeeds."""
        self._round += 1
        told: list[Any] = [states.Running().serialize(), states.Success().serialize()]
        return [
            StateReport(
                state=told[n % 2], timestamp=clock.now(), slug=f"round-{self._round}", name="x", map_index=n // 2
            )
            for n in range(self._size)
        ]


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder)}/penstock.db"


@contextmanager
def _postgresql() -> Iterator[str]:
    with PostgreSQL(durable=True) as server:
        yield server.make_database()
