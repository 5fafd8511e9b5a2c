"""The flows that are compared with Prefect end the same way under every executor."""

import sys
from pathlib import Path
from typing import Any, Final

import pytest
from playing import different, names, play

APART: Final[dict[str, str]] = {
    "collections_operators.attributes": "looks at an object of a class that only the driver's process has",
    "reference_tasks.a_flow_that_is_run_twice": "counts its runs in a list, which each process has for itself",
    "signals_loops.a_task_returns_odd_values": "returns what cannot be pickled",
}
"""What ends otherwise in processes of their own, and why that is right."""


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return play(Path(sys.executable), tmp_path_factory.mktemp("classic") / "in-process")


@pytest.mark.parametrize("executor", ["threads", "asyncio", "processes"])
def test_every_flow_ends_as_in_process(executor: str, in_process: dict[str, Any], tmp_path: Path) -> None:
    elsewhere = play(Path(sys.executable), tmp_path / executor, executor)
    places = {name: [*different(ended(in_process[name]), ended(elsewhere[name]))] for name in names()}
    otherwise = {name: found for name, found in places.items() if found}
    assert otherwise.keys() == (APART.keys() if executor == "processes" else set()), otherwise


def ended(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return states, values and messages, without what tasks noted in lists of their own process and in their turn."""
    return {name: value for name, value in outcome.items() if name != "notes"}
