"""The flows that are compared with Prefect end the same way under every executor."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import distributed
import pytest
from playing import HERE, different, play

APART: Final[dict[str, str]] = {
    "collections_operators.attributes": "looks at an object of a class that only the driver's process has",
    "reference_tasks.a_flow_that_is_run_twice": "counts its runs in a list, which each process has for itself",
    "signals_loops.a_task_returns_odd_values": "returns what cannot be pickled",
}
"""What ends otherwise in processes of their own, and why that is right."""
WHOLE: Final = "WHOLE" in os.environ
"""`WHOLE=1 pytest tests/classic/test_executors.py` compares all flows; to start workers for each takes its time."""
SOME: Final = [""] if WHOLE else ["mapping.o", "reference_tasks.a_flow", "signals_loops.a_t"]
FEW: Final = [""] if WHOLE else ["mapping.over_a_", "retries.of_a_t"]


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return play(Path(sys.executable), tmp_path_factory.mktemp("classic") / "in-process")


@pytest.mark.parametrize("executor", ["threads", "asyncio"])
def test_every_flow_ends_as_in_process(executor: str, in_process: dict[str, Any], tmp_path: Path) -> None:
    elsewhere = play(Path(sys.executable), tmp_path / executor, executor)
    assert otherwise(in_process, elsewhere) == {}


@pytest.mark.parametrize("prefix", SOME)
def test_flows_end_in_processes_as_in_process(prefix: str, in_process: dict[str, Any], tmp_path: Path) -> None:
    compare(prefix, in_process, play(Path(sys.executable), tmp_path / "processes", "processes", prefix=prefix))


@pytest.mark.parametrize("prefix", SOME)
def test_flows_end_on_dask_as_in_process(prefix: str, in_process: dict[str, Any], tmp_path: Path) -> None:
    home = tmp_path / "dask"
    surroundings = {"PYTHONPATH": str(HERE), "HOME": str(home), "PENSTOCK_HOME": str(home)}
    workers: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**workers, env=surroundings) as cluster:
        elsewhere = play(Path(sys.executable), home, "dask", cluster.scheduler_address, prefix)
    compare(prefix, in_process, elsewhere)


CLUSTER: Final = """
import ray, sys
begun = ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
print(begun.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """Start Ray in a process of its own, as what it reads of its surroundings holds as long as its process."""
    surroundings = {"PYTHONPATH": str(HERE), "PENSTOCK_HOME": str(tmp_path / "ray"), "RAY_AUTH_MODE": "disabled"}
    started = [sys.executable, "-c", CLUSTER]
    with subprocess.Popen(
        started, env={**os.environ, **surroundings}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("")  # which ends it


@pytest.mark.parametrize("prefix", FEW)
def test_flows_end_on_ray_as_in_process(prefix: str, in_process: dict[str, Any], tmp_path: Path, cluster: str) -> None:
    compare(prefix, in_process, play(Path(sys.executable), tmp_path / "ray", "ray", cluster, prefix))


def compare(prefix: str, in_process: dict[str, Any], elsewhere: dict[str, Any]) -> None:
    """Assert that the flows whose names begin with *prefix* end elsewhere as they do in process, but for `APART`."""
    here = {name: outcome for name, outcome in in_process.items() if name.startswith(prefix)}
    assert elsewhere.keys() == here.keys()
    assert otherwise(here, elsewhere).keys() == {name for name in APART if name.startswith(prefix)}


def otherwise(here: dict[str, Any], elsewhere: dict[str, Any]) -> dict[str, Any]:
    """Return what differs, by scenario."""
    places = {name: [*different(ended(here[name]), ended(elsewhere[name]))] for name in here}
    return {name: found for name, found in places.items() if found}


def ended(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return states, values and messages, without what tasks noted in lists of their own process and in their turn."""
    return {name: value for name, value in outcome.items() if name != "notes"}
