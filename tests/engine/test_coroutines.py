"""`async def` tasks run together on one event loop, whatever the executor."""

import asyncio
import threading
from typing import Any

import pytest

from penstock import Flow, context, settings, signals, task
from penstock.results import MemoryResult


@pytest.fixture(params=["in-process", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_coroutines_wait_for_one_another_on_one_loop(executor: str) -> None:
    arrived: list[int] = []
    everybody: dict[str, asyncio.Event] = {}
    threads: set[int] = set()

    @task
    async def meet(x: int) -> int:
        threads.add(threading.get_ident())
        arrived.append(x)
        everybody.setdefault("here", asyncio.Event())
        if len(arrived) == 20:
            everybody["here"].set()
        await everybody["here"].wait()  # ends only if all are under way at the same time
        return x * 2

    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    with Flow("meeting") as flow:
        met = [meet(x) for x in range(10)]
        mapped = meet.map(list(range(10, 20)))
        summed = total([total(met), total(mapped)])
    state = flow.run(executor=executor)
    assert state.result[summed].result == 2 * sum(range(20))
    assert len(threads) == 1


def test_a_coroutine_has_its_own_context_and_may_raise_what_any_task_may(executor: str) -> None:
    @task(max_retries=1, retry_delay=0)
    async def flaky() -> tuple[str, int]:
        await asyncio.sleep(0)
        if context.task_run_count == 1:
            raise ValueError("first")
        return context.task_name, context.task_run_count

    @task
    async def skip() -> None:
        raise signals.SKIP("no")

    @task
    async def rounds() -> int:
        count = int(context.get("task_loop_count", 1))
        if count < 3:
            raise signals.LOOP(result=count)
        return count

    with Flow("signals") as flow:
        tried, skipped, looped = flaky(), skip(), rounds()
    states: dict[Any, Any] = flow.run(executor=executor).result
    assert states[tried].result == ("flaky", 2)
    assert states[skipped].is_skipped()
    assert states[looped].result == 3


def test_what_a_coroutine_returns_is_kept() -> None:
    kept = MemoryResult(location="{task_name}")

    @task(result=kept)
    async def answer() -> int:
        return 42

    with Flow("kept") as flow:
        answered = answer()
    assert flow.run().result[answered].location.location == "answer"
    assert kept.read("answer") == 42


def test_what_depends_on_a_coroutine_waits_for_it() -> None:
    @task
    async def late() -> int:
        await asyncio.sleep(0.01)
        return 1

    @task
    def add(x: int) -> int:
        return x + 1

    with Flow("late") as flow:
        below = add(late())
        last = add(below)
    state = flow.run()
    assert [state.result[one].result for one in (below, last)] == [2, 3]


@pytest.mark.parametrize("executor", ["in-process", "threads"])
def test_a_task_of_a_limited_tag_waits_for_a_coroutine_of_that_tag(executor: str) -> None:
    under_way: list[str] = []
    met: list[list[str]] = []
    began, went_on = threading.Event(), threading.Event()

    @task(tags={"gpu"})
    async def coroutine() -> None:
        under_way.append("coroutine")
        began.set()
        await asyncio.to_thread(went_on.wait, 30)
        under_way.remove("coroutine")

    @task(tags={"gpu"})
    def limited(_numbers: Any) -> None:
        met.append([*under_way])
        went_on.set()

    @task
    def seen() -> list[int]:
        assert began.wait(30)
        return [1, 2]

    @task
    def free() -> None:
        went_on.set()

    with Flow("limited") as flow:
        coroutine()
        numbers = seen()
        limited(numbers)
        limited.map(numbers)
        free()
    with settings.override({"limits": {"gpu": 1}}):
        assert flow.run(executor=executor).is_successful()
    assert met == [[]] * 3


@pytest.mark.parametrize("executor", ["in-process", "threads", "processes", "asyncio"])
def test_an_interrupt_in_a_coroutine_ends_the_run_as_in_any_task(executor: str) -> None:
    @task
    async def interrupted() -> None:
        raise KeyboardInterrupt

    with Flow("interrupted") as flow:
        interrupted()
    with pytest.raises(KeyboardInterrupt):
        flow.run(executor=executor)


def test_a_coroutine_that_keeps_the_loop_to_itself_past_its_timeout_did_not_end_in_time(executor: str) -> None:
    @task(timeout=0.1)
    async def blocks() -> str:
        threading.Event().wait(0.5)
        return "late"

    @task(timeout=0.1)
    async def in_time() -> str:
        return "in time"

    with Flow("blocked") as flow:
        early, late = in_time(), blocks()
    result = flow.run(executor=executor).result
    assert (result[late].type, result[late].message) == (
        "TimedOut",
        "did not end within 0.1 s; the loop was blocked",
    )
    assert result[early].result == "in time"
