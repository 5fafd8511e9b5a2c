"""A Dask cluster holds what every executor holds to."""

import time
from collections.abc import Iterator
from concurrent import futures
from typing import Final

import pytest

from penstock.executors import Executor
from penstock.testing.executors import ExecutorContract, RemoteExecutorContract
from penstock_dask import DaskExecutor, LocalDaskExecutor
from penstock_dask.pool import DaskPool

ALONE: Final = ("leaving", "surroundings", "opened_again", "script", "killed", "interrupt", "spec", "cancelled")
"""What tries how a cluster begins and ends, and what counts the calls that it knows.

All others share a cluster, as it takes seconds to start.
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    with DaskExecutor(n_workers=2)._cluster() as cluster:  # as it begins one for each run
        yield cluster.scheduler_address


class TestDaskExecutor(RemoteExecutorContract):
    tells_how = False  # Dask runs it again elsewhere, and in the end knows only that each worker was lost

    @pytest.fixture
    def executor(self, request: pytest.FixtureRequest) -> Executor:
        if any(name in request.node.name for name in ALONE):
            return DaskExecutor(n_workers=2)
        return DaskExecutor(request.getfixturevalue("shared"))

    def settle(self, pool: futures.Executor) -> None:
        """Wait until scheduler and workers know of calls alone that are under way: a cancellation takes its time."""
        assert isinstance(pool, DaskPool)
        run = pool._client.run
        deadline = time.monotonic() + 60
        while True:
            known = pool._client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
            held = sum(run(lambda dask_worker: len(dask_worker.state.tasks)).values())
            if known == held == self.workers:
                return
            assert time.monotonic() < deadline, (known, held)


class TestLocalDaskThreads(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return LocalDaskExecutor("threads", num_workers=2)
