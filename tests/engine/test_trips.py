"""Which calls travel together to a pool in other processes: those of tasks that do the same work, if it is tiny."""

import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

from penstock import Flow, context, task

SECONDS = 30.0


class Far(futures.Executor):
    """Threads that the engine takes for workers elsewhere; each call is said to have taken *seconds*."""

    def __init__(self, seconds: float, threads: int = 4) -> None:
        self.trips: list[int] = []
        self._seconds = seconds
        self._threads = futures.ThreadPoolExecutor(threads)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        self.trips.append(len(args[0]))
        return self._threads.submit(self._call, fn, *args, **kwargs)

    def _call(self, work: Any, calls: Any) -> Any:
        ended = work(calls)
        ended.seconds = self._seconds * len(calls)
        return ended

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002 - inherited
        self._threads.shutdown(wait, cancel_futures=cancel_futures)


@pytest.fixture
def tiny() -> Iterator[Far]:
    with Far(0.00001) as pool:
        yield pool


@task
def told(number: int) -> tuple[int, str]:
    return number, context["task_slug"]


def test_tiny_tasks_share_trips_and_each_keeps_its_own_name(tiny: Far) -> None:
    with Flow("many") as flow:
        tasks = [told(number) for number in range(500)]
    state = flow.run(executor=tiny)
    assert [state.result[one].result for one in tasks] == [(number, flow.slugs[tasks[number]]) for number in range(500)]
    assert sum(tiny.trips) == 500
    assert len(tiny.trips) < 50
    assert tiny.trips[:32] == [1] * 32


def test_tasks_that_take_their_time_travel_alone() -> None:
    with Flow("few") as flow:
        for number in range(200):
            told(number)
    with Far(0.01) as slow:
        assert flow.run(executor=slow).is_successful()
    assert slow.trips == [1] * 200


def test_tasks_of_different_functions_travel_apart(tiny: Far) -> None:
    @task
    def doubled(number: int) -> int:
        return 2 * number

    with Flow("two") as flow:
        both = [(told(number), doubled(number)) for number in range(100)]
    state = flow.run(executor=tiny)
    ends = [(state.result[one].result[0], state.result[two].result) for one, two in both]
    assert ends == [(number, 2 * number) for number in range(100)]
    assert tiny.trips[:64] == [1] * 64


def test_one_that_fails_or_is_tried_again_does_so_alone(tiny: Far) -> None:
    @task(max_retries=1, retry_delay=0)
    def odd_one(number: int) -> int:
        if number == 70 or (number == 80 and context["task_run_count"] == 1):
            raise ValueError(number)
        return number

    with Flow("odd") as flow:
        tasks = [odd_one(number) for number in range(200)]
    state = flow.run(executor=tiny)
    failed = [number for number, one in enumerate(tasks) if state.result[one].is_failed()]
    assert failed == [70]
    assert state.result[tasks[80]].result == 80


def test_what_waits_for_company_is_not_held_up_by_one_that_hangs(tiny: Far) -> None:
    went_on = threading.Event()

    @task
    def wait_or_tell(number: int) -> bool:
        if number == 3:
            return went_on.wait(SECONDS)
        if number == 150:
            went_on.set()
        return True

    with Flow("hanging") as flow:
        tasks = [wait_or_tell(number) for number in range(200)]
    state = flow.run(executor=tiny)
    assert [state.result[one].result for one in tasks] == [True] * 200


def test_nor_by_others_that_keep_coming_back() -> None:
    went_on = threading.Event()

    @task
    def long(number: int) -> bool:
        if number == 40:
            went_on.set()
        return went_on.wait(SECONDS)

    @task
    def short(before: bool | None) -> bool:
        return went_on.wait(0.01)

    with Flow("busy") as flow:
        for number in range(50):
            long(number)
        last = short(None)
        for _ in range(100):
            last = short(last)
    with Far(0.00001, threads=64) as pool:
        state = flow.run(executor=pool)
    assert state.is_successful()
    assert state.result[last].result


class ShutEarly(Far):
    """Shut down, as by its owner, once it has taken some calls."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        if len(self.trips) >= 40:
            self.shutdown()
        return super().submit(fn, *args, **kwargs)


class ShutThreads(futures.ThreadPoolExecutor):
    """The same as threads of this process."""

    taken = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        self.taken += 1
        if self.taken > 40:
            self.shutdown()
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("pool", [ShutEarly(0.00001), ShutThreads(4)], ids=["elsewhere", "threads"])
def test_a_pool_that_takes_no_more_calls_fails_what_is_left_and_not_the_run(pool: Any) -> None:
    """Alone, together, with something around it, or mapped: each ends with what the pool raised."""

    @task(max_retries=1, retry_delay=0, tags={"named"}, timeout=SECONDS)
    def guarded(number: int) -> int:
        return number

    with Flow("shut") as flow:
        tasks = [told(number) for number in range(100)]
        others = [guarded(1), told.map([*range(1000)])]
    with pool:
        result = flow.run(executor=pool).result
    ends = [result[one] for one in tasks]
    left = [end for end in (*ends, result[others[0]], *result[others[1]].map_states) if end.is_failed()]
    assert len(left) > 500
    why = "could not be run: RuntimeError: cannot schedule new futures after shutdown"
    assert {end.message.partition(" ")[2] for end in left} == {why}
