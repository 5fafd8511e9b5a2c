"""Runs end right whatever is killed, stopped or taken away under them, and the judge of that finds faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def judged(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.durability.agents", "--rounds", "1", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("part", ["flow", "both"])
def test_runs_end_right_when_their_processes_or_agents_do_not(part: str) -> None:
    done = judged("--part", part)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{part}: 1 right" in done.stdout


def test_a_planted_fault_is_found_out() -> None:
    done = judged("--part", "flow", "--fault", "late_spool")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "lines that were old" in done.stdout
