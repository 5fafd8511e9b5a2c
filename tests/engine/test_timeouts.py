"""A task that takes too long ends as TimedOut, in time, wherever it runs."""

import asyncio
import threading
import time
from typing import Any

import pytest

from penstock import Flow, signals, task
from penstock.states import Success, TimedOut

EXECUTORS = ["in-process", "threads", "processes"]


@task(timeout=0.2)
def busy() -> None:
    while True:
        pass


@task(timeout=0.2)
def blocked() -> None:
    threading.Event().wait(60)


@task(timeout=60)
def quick() -> int:
    return 1


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_busy_body_is_stopped_and_a_blocked_one_is_left_behind(executor: str) -> None:
    with Flow("slow") as flow:
        one, two, three = busy(), blocked(), quick()
    begun = time.monotonic()
    state = flow.run(executor=executor)
    assert time.monotonic() - begun < 30
    assert isinstance(state.result[one], TimedOut)
    assert state.result[one].message == "did not end within 0.2 s; it was stopped"
    assert isinstance(state.result[two], TimedOut)
    left = "its worker was ended" if executor == "processes" else "it could not be stopped and still runs"
    assert state.result[two].message == f"did not end within 0.2 s; {left}"
    assert isinstance(state.result[two].result, TimeoutError)
    assert state.result[three] == Success(None, 1)


def test_a_worker_whose_interpreter_is_held_is_ended() -> None:
    @task(timeout=0.3)
    def held() -> None:
        import ctypes

        ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the interpreter's lock

    with Flow("held") as flow:
        stuck, others = held(), quick()
    begun = time.monotonic()
    state = flow.run(executor="processes")
    assert time.monotonic() - begun < 30
    assert isinstance(state.result[stuck], TimedOut)
    assert state.result[stuck].message == "did not end within 0.3 s; its worker was ended"
    assert state.result[others].result == 1


def test_a_child_that_takes_too_long_does_not_end_its_siblings() -> None:
    @task(timeout=0.2)
    def wait_for(seconds: float) -> float:
        threading.Event().wait(seconds)
        return seconds

    with Flow("children") as flow:
        waited = wait_for.map([0.0, 60.0, 0.01])
    kinds = [child.type for child in flow.run().result[waited].map_states]
    assert kinds == ["Success", "TimedOut", "Success"]


def test_an_attempt_that_took_too_long_is_tried_again() -> None:
    attempts: list[int] = []

    @task(timeout=0.2, max_retries=1, retry_delay=0, retry_on=TimeoutError)
    def slow_at_first() -> int:
        attempts.append(1)
        if len(attempts) == 1:
            threading.Event().wait(60)
        return len(attempts)

    with Flow("again") as flow:
        again = slow_at_first()
    assert flow.run().result[again].result == 2


def test_what_a_body_with_a_timeout_raises_comes_through() -> None:
    @task(timeout=5)
    def skip() -> None:
        raise signals.SKIP("nothing new")

    @task(timeout=5)
    def fail() -> None:
        raise ValueError("no")

    with Flow("raising") as flow:
        skipped, failed = skip(), fail()
    states: dict[Any, Any] = flow.run().result
    assert states[skipped].is_skipped()
    assert states[failed].message == "ValueError: no"


def test_a_coroutine_that_takes_too_long_is_cancelled() -> None:
    cancelled: list[str] = []

    @task(timeout=0.1)
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append("slow")
            raise

    with Flow("coroutine") as flow:
        stuck = slow()
    assert flow.run().result[stuck].message == "did not end within 0.1 s; it was stopped"
    assert cancelled == ["slow"]
