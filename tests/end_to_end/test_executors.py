"""Runs on the executors that the plugins bring."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, task
from penstock.states import Failed, Success


@pytest.mark.parametrize("executor", ["in-process", "threads", "processes"])
def test_one_flow_gives_the_same_states_and_values_everywhere(executor: str) -> None:
    @task
    def inverse(x: int) -> float:
        return 1 / x

    @task(max_retries=2, retry_delay=0)
    def flaky(path: str) -> str:
        with Path(path).open("a", encoding="utf-8") as log:
            log.write("x")
        if len(Path(path).read_text(encoding="utf-8")) < 3:
            raise OSError("not yet")
        return "there"

    @task(skip_on_upstream_skip=False)
    def count(values: list[Any]) -> int:
        return len(values)

    with Flow("same") as flow:
        mapped = inverse.map([1, 0, 2, 4])
        patient = flaky(str(Path.cwd() / f"{executor}.txt"))
        counted = count([patient, patient])
    state = flow.run(executor=executor)
    assert [type(child) for child in state.result[mapped].map_states] == [Success, Failed, Success, Success]
    assert state.result[mapped].map_states[1].message == "ZeroDivisionError: division by zero"
    described = state.result[mapped].map_states[1].context["exception"]
    assert [frame["function"] for frame in described["frames"]][-1] == "inverse"
    assert state.result[counted].result == 2


def test_a_value_that_cannot_travel_fails_its_own_child_only() -> None:
    @task
    def make(x: int) -> Any:
        return threading.Lock() if x == 70 else x

    with Flow("travelling") as flow:
        made = make.map(list(range(200)))
    children = flow.run(executor={"type": "processes", "max_workers": 2}).result[made].map_states
    assert [number for number, child in enumerate(children) if child.is_failed()] == [70]
    assert "cannot be pickled" in (children[70].message or "")


def test_a_worker_that_dies_fails_its_own_child_only() -> None:
    @task
    def poison(x: int) -> int:
        if x == 130:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with Flow("poisoned") as flow:
        mapped = poison.map(list(range(200)))
    children = flow.run(executor={"type": "processes", "max_workers": 2}).result[mapped].map_states
    assert [number for number, child in enumerate(children) if child.is_failed()] == [130]
    assert "SIGKILL" in (children[130].message or "")
