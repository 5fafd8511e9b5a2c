"""A map whose worker is killed ends right on every executor that has workers, and the judge of that finds faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def judged(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.durability.workers", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("executor", "rounds"), [("processes", 3), ("dask", 1), ("ray", 1)])
def test_a_map_whose_worker_is_killed_ends_right(executor: str, rounds: int) -> None:
    done = judged("--executor", executor, "--rounds", str(rounds), "--longest", "120")  # beside other tests
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{rounds} right" in done.stdout


def test_a_child_that_stays_failed_is_found_out() -> None:
    done = judged("--rounds", "5", "--retries", "0")  # as now and then a worker has nothing to do when it is killed
    assert done.returncode == 1
    assert "wrong: Some reference tasks failed." in done.stdout
