"""Killed writers leave results whole, and the judge of that finds faults."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def judged(kind: str, rounds: int, exits: int) -> dict[str, int]:
    """What the judge counts, and that it ends as it should."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.durability", "--kind", kind, "--rounds", str(rounds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exits, done.stdout + done.stderr
    assert re.match(r"seed \d+\n", done.stdout)
    return {name: int(count) for count, name in re.findall(r"(\d+) (torn|lost|unreadable)\b", done.stdout)}


@pytest.mark.parametrize(("kind", "rounds"), [("local", 40), ("s3", 15)], ids=["local", "s3"])
def test_a_killed_writer_leaves_the_old_value_or_the_new(kind: str, rounds: int) -> None:
    assert judged(kind, rounds, exits=0) == {"torn": 0, "lost": 0, "unreadable": 0}


def test_a_result_that_writes_in_place_is_found_out() -> None:
    assert judged("in-place", 40, exits=1)["torn"] > 0


def test_a_result_that_writes_late_is_found_out() -> None:
    assert judged("late", 10, exits=1)["lost"] > 0
