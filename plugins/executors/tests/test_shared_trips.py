"""Tiny tasks of one function travel together, and share nothing else."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, context, task
from penstock_executors import ProcessExecutor
from penstock_executors.pool import WorkerPool


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many calls travelled together, each time; tiny are those here that take up to half a second."""
    monkeypatch.setattr("penstock.engine.pace.BATCH_SECONDS", 30.0)
    for module in ("pace", "flights"):
        monkeypatch.setattr(f"penstock.engine.{module}.TRIP_SECONDS", 1.0)
    counted: list[int] = []
    submit = WorkerPool.submit

    def counting(pool: WorkerPool, work: Any, calls: Any) -> Any:
        counted.append(len(calls))
        return submit(pool, work, calls)

    monkeypatch.setattr(WorkerPool, "submit", counting)
    return counted


def test_one_that_kills_its_worker_is_alone_to_blame(trips: list[int]) -> None:
    @task
    def mortal(number: int) -> int:
        if number == 150:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with Flow("mortal") as flow:
        tasks = [mortal(number) for number in range(300)]
    state = flow.run(executor=ProcessExecutor(2))
    failed = [number for number, one in enumerate(tasks) if state.result[one].is_failed()]
    assert failed == [150]
    assert "SIGKILL" in state.result[tasks[150]].message
    assert [state.result[one].result for one in tasks if not state.result[one].is_failed()] == [
        number for number in range(300) if number != 150
    ]
    assert max(trips) > 1


def test_one_that_kills_its_worker_is_tried_again_where_it_may_be(trips: list[int]) -> None:
    @task(max_retries=1, retry_delay=0)
    def mortal(number: int) -> int:
        if number == 150 and context["task_run_count"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with Flow("mortal") as flow:
        tasks = [mortal(number) for number in range(300)]
    state = flow.run(executor=ProcessExecutor(2))
    assert [state.result[one].result for one in tasks] == list(range(300))
    assert max(trips) > 1


def test_one_that_waits_holds_up_no_other_trip(trips: list[int], tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    @task
    def waiting(number: int) -> int:
        until = time.monotonic() + 30
        while number == 100 and not gate.exists() and time.monotonic() < until:
            time.sleep(0.01)
        if number == 299:
            gate.touch()
        return number

    with Flow("waiting") as flow:
        tasks = [waiting(number) for number in range(300)]
    state = flow.run(executor=ProcessExecutor(2))
    assert [state.result[one].result for one in tasks] == list(range(300))
    assert max(trips) > 1
