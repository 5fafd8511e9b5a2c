"""What the backend takes for a creation, a transition and a batch of them: SQLite and PostgreSQL, durable commits.

Beside it, what the bare database takes for the least that can be asked of it: a row of one number, and its commit.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

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
        with place() as (url, bare):
            store = SQLBackend(url)
            store.create_project("bench")
            store.register_flow(FlowSpec(name="hello"), project="bench")
            work = _Work(store, size)
            timed: dict[str, Timed] = {
                "create": work.create,
                "single": work.single,
                "batched": work.batched,
                "commit": partial(_commits, bare, size),
            }
            times = {what: taken / size * 1e6 for what, taken in compare(timed, repeats, wall).items()}
            store.close()
        commit = times["commit"]
        yield figure(f"{name}, a creation", size, times["create"], "µs", bar=2_000, commit=commit)
        yield figure(f"{name}, a transition", size, times["single"], "µs", bar=1_000, commit=commit)
        yield figure(f"{name}, a transition of {BATCH}", size, times["batched"], "µs", bar=100, commit=commit)


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


def _commits(bare: Any, size: int) -> None:
    """Write rows of a number, and commit each."""
    for _ in range(size):
        bare.execute("INSERT INTO bare VALUES (1)")
        bare.commit()


@contextmanager
def _sqlite() -> Iterator[tuple[str, Any]]:
    """Give the URL of a database that is empty, and a bare connection to another."""
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder, "bare.db"))) as bare:
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("PRAGMA synchronous=FULL")
        bare.execute("CREATE TABLE bare (number INTEGER)")
        yield f"sqlite:///{Path(folder)}/penstock.db", bare


@contextmanager
def _postgresql() -> Iterator[tuple[str, Any]]:
    """Give the same on a server."""
    with PostgreSQL(durable=True) as server, psycopg.connect(server.make_database()) as bare:
        bare.execute("CREATE TABLE bare (number INTEGER)")
        yield server.make_database(), bare
