"""Virtual time moves only when all who take part wait for it, and wakes them in order."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from queue import Empty, SimpleQueue

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock import Flow, clock, task
from penstock.states import Success
from penstock.testing.clocks import TimeStandsStillError, VirtualClock

HOUR = 3600
REAL = 60.0
"""Real seconds after which a test fails instead of hanging."""
EXECUTORS = ["in-process", "threads", "processes"]


@pytest.fixture
def virtual() -> Iterator[VirtualClock]:
    with clock.use(VirtualClock()) as used:
        assert isinstance(used, VirtualClock)
        yield used


def together(virtual: VirtualClock, bodies: list[Callable[[], object]]) -> None:
    """Run functions, each on a thread that takes part, to their end."""
    threads = [threading.Thread(target=body, name=f"body-{number}") for number, body in enumerate(bodies)]
    with virtual.participate():
        for thread in threads:
            virtual.start(thread)
    for thread in threads:
        thread.join(REAL)
        assert not thread.is_alive()


@task(max_retries=3, retry_delay=timedelta(minutes=20))
def fail_thrice() -> int:
    from penstock import context

    if context["task_run_count"] < 4:
        raise ConnectionError("not yet")
    return int(context["task_run_count"])


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_hour_of_retry_delays_passes_in_a_moment(executor: str, virtual: VirtualClock) -> None:
    with Flow("patient") as flow:
        once = fail_thrice()
    begun = time.monotonic()
    state = flow.run(executor=executor)
    assert time.monotonic() - begun < REAL
    assert state.result[once] == Success(None, 4)
    assert virtual.monotonic() == pytest.approx(HOUR, abs=1)


def test_a_sleeper_alone_need_not_wait(virtual: VirtualClock) -> None:
    clock.sleep(HOUR)
    clock.sleep(0)
    clock.sleep(-1)
    assert not clock.wait(threading.Event(), HOUR)
    with pytest.raises(Empty):
        virtual.get(SimpleQueue(), HOUR)
    assert virtual.monotonic() == 3 * HOUR


_NAPS = st.lists(st.lists(st.integers(1, 50), max_size=4), min_size=1, max_size=5)


@settings(deadline=None)  # threads take the time that they take
@given(_NAPS)
@example([[1], [48], [1, 47]])  # of those who remain, the order is that in which they joined
def test_sleepers_wake_in_the_order_of_time(naps: list[list[int]]) -> None:
    woken: list[tuple[float, int]] = []
    virtual = VirtualClock()

    def sleeper(number: int) -> Callable[[], None]:
        def body() -> None:
            for nap in naps[number]:
                virtual.sleep(nap)
                woken.append((virtual.monotonic(), number))

        return body

    together(virtual, [sleeper(number) for number in range(len(naps))])
    expected = [(float(sum(mine[: count + 1])), n) for n, mine in enumerate(naps) for count in range(len(mine))]
    assert woken == sorted(expected)  # those of the same time in the order in which they joined


def test_bodies_on_threads_sleep_at_the_same_time_and_wake_in_order(virtual: VirtualClock) -> None:
    woken: list[int] = []

    @task
    def sleep(hours: int) -> float:
        clock.sleep(hours * HOUR)
        woken.append(hours)
        return clock.monotonic()

    with Flow("sleepers") as flow:
        slept = sleep.map([5, 3, 1, 4, 2])
    ended = flow.run(executor={"type": "threads", "max_workers": 5}).result[slept].result
    assert ended == [hours * HOUR for hours in (5, 3, 1, 4, 2)]
    assert woken == [1, 2, 3, 4, 5]


def test_more_sleepers_than_workers_take_turns(virtual: VirtualClock) -> None:
    @task
    def sleep(hours: int) -> float:
        clock.sleep(hours * HOUR)
        return clock.monotonic() / HOUR

    with Flow("queue") as flow:
        slept = sleep.map([1, 2, 3, 4, 5])
    assert flow.run(executor={"type": "threads", "max_workers": 2}).result[slept].result == [1, 2, 4, 6, 9]


def test_retries_and_sleeping_bodies_share_the_time(virtual: VirtualClock) -> None:
    told: list[tuple[str, float]] = []

    @task(max_retries=1, retry_delay=2 * HOUR)
    def fails_once() -> None:
        told.append(("try", clock.monotonic() / HOUR))
        if clock.monotonic() < HOUR:
            raise ConnectionError("not yet")

    @task
    def sleeps() -> None:
        for _ in range(3):
            clock.sleep(1.5 * HOUR)
            told.append(("slept", clock.monotonic() / HOUR))

    with Flow("mixed") as flow:
        fails_once()
        sleeps()
    assert flow.run(executor="threads").is_successful()
    assert [what for what, _ in told] == ["try", "slept", "try", "slept", "slept"]
    assert [hours for _, hours in told] == pytest.approx([0, 1.5, 2, 3, 4.5], abs=0.001)


def test_work_that_does_not_wait_for_the_time_is_waited_for_really(virtual: VirtualClock) -> None:
    gate = threading.Event()
    seen: list[float] = []

    @task(max_retries=1, retry_delay=HOUR)
    def fails_once() -> None:
        if not gate.is_set():
            opener.start()
            raise ConnectionError("not yet")

    @task
    def works() -> None:
        assert gate.wait(REAL)
        seen.append(clock.monotonic())

    opener = threading.Timer(0.05, gate.set)
    with Flow("working") as flow:
        works()
        fails_once()
    assert flow.run(executor="threads").is_successful()
    assert seen == [0]
    assert virtual.monotonic() == pytest.approx(HOUR, abs=1)


def test_a_process_is_waited_for_while_a_retry_is_held(virtual: VirtualClock) -> None:
    @task
    def works() -> float:
        time.sleep(0.05)
        return clock.monotonic()

    @task(max_retries=1, retry_delay=HOUR)
    def fails_once() -> None:
        from penstock import context

        if context["task_run_count"] == 1:
            raise ConnectionError("not yet")

    with Flow("working") as flow:
        works()
        fails_once()
    assert flow.run(executor="processes").is_successful()
    assert virtual.monotonic() == pytest.approx(HOUR, abs=1)


def test_coroutines_are_waited_for_really_while_a_retry_is_held(virtual: VirtualClock) -> None:
    seen: list[float] = []

    @task
    async def works() -> None:
        import asyncio

        await asyncio.sleep(0.05)
        seen.append(clock.monotonic())

    @task(max_retries=1, retry_delay=HOUR)
    def fails_once() -> None:
        from penstock import context

        if context["task_run_count"] == 1:
            raise ConnectionError("not yet")

    with Flow("coroutines") as flow:
        works()
        fails_once()
    assert flow.run().is_successful()
    assert seen == [0]


def test_a_flow_that_a_task_runs_sleeps_for_both(virtual: VirtualClock) -> None:
    @task
    def nap() -> float:
        clock.sleep(HOUR)
        return clock.monotonic()

    @task
    def run_inner() -> float:
        with Flow("inner") as inner:
            napped = nap()
        return float(inner.run(executor="threads").result[napped].result)

    @task
    def nap_longer() -> float:
        clock.sleep(2 * HOUR)
        return clock.monotonic()

    with Flow("outer") as outer:
        inner, longer = run_inner(), nap_longer()
    state = outer.run(executor="threads")
    assert (state.result[inner].result, state.result[longer].result) == (HOUR, 2 * HOUR)


def test_an_event_ends_a_wait_before_its_time(virtual: VirtualClock) -> None:
    event = threading.Event()
    found: list[tuple[bool, float]] = []

    def setter() -> None:
        clock.sleep(HOUR)
        event.set()

    together(virtual, [lambda: found.append((clock.wait(event, 2 * HOUR), virtual.monotonic())), setter])
    assert found == [(True, HOUR)]
    assert clock.wait(event, HOUR)
    assert virtual.monotonic() == HOUR


def test_an_item_ends_a_wait_before_its_time(virtual: VirtualClock) -> None:
    queue: SimpleQueue[str] = SimpleQueue()
    found: list[tuple[str, float]] = []

    def putter() -> None:
        clock.sleep(HOUR)
        queue.put("item")

    together(virtual, [lambda: found.append((virtual.get(queue, None), virtual.monotonic())), putter])
    assert found == [("item", HOUR)]


def test_a_participant_that_works_holds_the_time(virtual: VirtualClock) -> None:
    woken = threading.Event()

    def sleep() -> None:
        clock.sleep(HOUR)
        woken.set()

    with virtual.participate():
        thread = threading.Thread(target=sleep)
        virtual.start(thread)
        assert not woken.wait(0.05)
        assert virtual.monotonic() == 0
    assert woken.wait(REAL)
    thread.join(REAL)


def test_who_cannot_be_woken_is_told_who_keeps_the_time_from_moving() -> None:
    virtual = VirtualClock(patience=0.5)
    with virtual.participate():
        errors: list[Exception] = []

        def sleep() -> None:
            try:
                virtual.sleep(HOUR)
            except TimeStandsStillError as error:
                errors.append(error)

        thread = threading.Thread(target=sleep, name="sleeper")
        thread.start()
        thread.join(REAL)
    (error,) = errors
    assert "stood still at 0 s for 0.5 real seconds, while sleeper waits for 3600 s" in str(error)
    assert f"Not waiting for it: thread {threading.current_thread().name}. Let them wait on" in str(error)


def test_a_body_that_waits_for_what_only_time_brings_fails_the_run_instead_of_hanging() -> None:
    never = threading.Event()

    @task
    def waits_really() -> None:
        never.wait(REAL)

    @task
    def sleeps() -> None:
        try:
            clock.sleep(HOUR)
        finally:
            never.set()

    with Flow("stuck") as flow:
        waits_really()
        stuck = sleeps()
    with clock.use(VirtualClock(patience=0.5)):
        state = flow.run(executor="threads")
    assert state.result[stuck].is_failed()
    assert "1 calls under way in a run that MainThread drives" in state.result[stuck].message


def test_a_forked_process_begins_with_real_time(virtual: VirtualClock) -> None:
    import multiprocessing

    connection, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=lambda: theirs.send(type(clock.current()) is clock.Clock), daemon=True
    )
    child.start()
    assert connection.poll(REAL)
    assert connection.recv() is True
    child.join(REAL)
