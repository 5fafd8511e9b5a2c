"""What Ray does beyond what every executor holds to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import ray

from penstock import Flow, errors, hookimpl, hooks, task
from penstock.testing import calls
from penstock_executors.remote import SMALL, StandIn
from penstock_ray import RayExecutor
from penstock_ray.executors import check_versions

LARGE = 4 * SMALL


@pytest.fixture(scope="module", autouse=True)
def begun() -> Iterator[str]:
    context = ray.init(num_cpus=2, resources={"disk": 1}, include_dashboard=False, logging_level="ERROR")
    yield context.address_info["gcs_address"]
    ray.shutdown()


@task
def fill(size: int) -> bytes:
    return bytes(size)


@task
def measure(content: bytes) -> int:
    return len(content)


def test_large_values_come_here_only_at_the_end() -> None:
    seen: list[type[Any]] = []

    class Watching:
        @hookimpl
        def penstock_task_run_state(self, run: Any, new: Any) -> None:
            if new.is_successful() and run.task_name == "fill":
                seen.append(type(new.result))

    with Flow("large") as flow:
        content = fill(LARGE)
        size = measure(content)
        sizes = measure.map(fill.map([1, LARGE]))
    with hooks.observing(Watching()):
        state = flow.run(executor=RayExecutor())
    assert any(issubclass(kind, StandIn) for kind in seen)
    assert state.result[size].result == LARGE
    assert state.result[sizes].result == [1, LARGE]
    assert type(state.result[content].result) is bytes


_MEMORY = """
import json, resource, sys
from penstock import Flow, task

@task
def fill(size):
    return bytes(size)

@task
def measure(content):
    return len(content)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def run(size):
    with Flow("large") as flow:
        measured = measure(fill(size))
    state = flow.run(executor={"type": "ray", "address": sys.argv[1]}, keep_values=False)
    assert state.result[measured].result == size

run(1)
before = peak()
run(int(sys.argv[2]))
print(json.dumps(peak() - before))
"""


def test_a_value_of_200_mb_between_two_tasks_takes_no_memory_here(begun: str) -> None:
    command = [sys.executable, "-c", _MEMORY, begun, str(200 * 2**20)]
    environ = {**os.environ, "PENSTOCK_LOGGING__LEVEL": "CRITICAL"}
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) < 50


def test_a_tag_asks_for_a_resource() -> None:
    with Flow("resources") as flow:
        given = task(tags={"ray-resource:disk=1"})(calls.double)(4)
        wrong = task(tags={"ray-resource:disk=many"})(calls.double)(4)
    state = flow.run(executor=RayExecutor())
    assert state.result[given].result == 8
    assert "'ray-resource:disk=many' asks for an amount that is no number" in state.result[wrong].message


@pytest.mark.parametrize("name", ["Python", "penstock"])
def test_workers_that_could_not_read_what_is_sent_are_refused(name: str) -> None:
    here = {"Python": "3.11", "penstock": "0.1.0"}
    check_versions(here, here, "10.0.0.1:6379")
    with pytest.raises(errors.ExecutorError, match=rf"at 10\.0\.0\.1:6379 have {name} 0, this process has {name} "):
        check_versions(here, {**here, name: "0"}, "10.0.0.1:6379")
