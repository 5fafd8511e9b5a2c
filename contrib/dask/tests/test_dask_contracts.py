"""A Dask cluster holds what every executor holds to."""

import pytest

from penstock.executors import Executor
from penstock.testing.executors import ExecutorContract, RemoteExecutorContract
from penstock_dask import DaskExecutor, LocalDaskExecutor


class TestDaskExecutor(RemoteExecutorContract):
    tells_how = False  # Dask runs it again elsewhere, and in the end knows only that each worker was lost

    @pytest.fixture
    def executor(self) -> Executor:
        return DaskExecutor(n_workers=2)


class TestLocalDaskThreads(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return LocalDaskExecutor("threads", num_workers=2)
