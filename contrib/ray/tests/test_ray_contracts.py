"""A Ray cluster holds what every executor holds to."""

from collections.abc import Iterator
from typing import Final

import pytest
import ray

from penstock.executors import Executor
from penstock.testing.executors import RemoteExecutorContract
from penstock_ray import RayExecutor

ALONE: Final = ("leaving_ends_every_process", "surroundings", "opened_again")
"""What tries how a cluster begins and ends; all others share one, as it takes seconds to start."""


class TestRayExecutor(RemoteExecutorContract):
    prints = False  # Ray brings it by way of files, and not the last of it
    tells_how = False  # Ray runs it again elsewhere, and in the end knows only that each worker was lost

    @pytest.fixture
    def executor(self, request: pytest.FixtureRequest) -> Executor:
        if any(name in request.node.name for name in ALONE):
            ray.shutdown()
        elif not ray.is_initialized():
            ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        return RayExecutor(num_cpus=2)


@pytest.fixture(scope="module", autouse=True)
def ends() -> Iterator[None]:
    yield
    ray.shutdown()
