"""The kernel's contract, held by this plugin's executors."""

import pytest

from penstock.executors import Executor
from penstock.testing.executors import ExecutorContract, RemoteExecutorContract
from penstock_executors import AsyncioExecutor, ProcessExecutor, ThreadExecutor


class TestThreadExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return ThreadExecutor(2)


class TestAsyncioExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return AsyncioExecutor(2)


class TestProcessExecutor(RemoteExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return ProcessExecutor(2)
