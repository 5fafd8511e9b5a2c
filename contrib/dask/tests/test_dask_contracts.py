"""A Dask cluster holds what every executor holds to."""

from collections.abc import Iterator
from typing import Final

import pytest

from penstock.executors import Executor
from penstock.testing.executors import ExecutorContract, RemoteExecutorContract
from penstock_dask import DaskExecutor, LocalDaskExecutor

ALONE: Final = ("leaving", "surroundings", "opened_again", "script", "killed", "interrupt", "spec", "cancelled")
"""What tries how a cluster begins and ends, and a cancellation, which may come late over a connection of its own.

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


class TestLocalDaskThreads(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return LocalDaskExecutor("threads", num_workers=2)
