"""Maps over maps: each child goes down as far as it can, and no more is held than has to be."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from penstock import Flow, Parameter, Task, clock, context, signals, states, task, triggers, unmapped
from penstock.states import Mapped, Retrying, State, Success
from penstock.testing.clocks import VirtualClock

SEEN: list[tuple[str, Any]] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


@task
def first(x: int) -> int:
    SEEN.append(("first", x))
    return x


@task
def second(x: int) -> int:
    SEEN.append(("second", x))
    return x


@task
def third(x: int, y: int = 0) -> int:
    SEEN.append(("third", x))
    return x + y


def test_a_child_runs_as_soon_as_the_child_above_it_has_ended() -> None:
    with Flow("deep") as flow:
        flow_end = third.map(second.map(first.map([1, 2])), unmapped(10))
    assert flow.run().result[flow_end].result == [11, 12]
    assert [name for name, _ in SEEN] == ["first", "second", "third"] * 2


def test_in_a_pool_a_child_need_not_wait_for_the_siblings_of_the_one_above() -> None:
    import threading

    below_began = threading.Event()

    @task
    def above(x: int) -> int:
        if x == 0:
            assert below_began.wait(30)
        return x

    @task
    def below(x: int) -> int:
        below_began.set()
        return x

    with Flow("overtaking") as flow:
        end = below.map(above.map([0, 1]))
    with ThreadPoolExecutor(2) as pool:
        assert flow.run(executor=pool).result[end].result == [0, 1]


def test_a_child_that_is_tried_again_later_holds_up_only_what_is_below_it() -> None:
    @task(max_retries=1, retry_delay=timedelta(hours=1))
    def flaky(x: int) -> int:
        SEEN.append(("flaky", x))
        if x == 1 and context.task_run_count == 1:
            raise ValueError(x)
        return x

    with Flow("retrying") as flow:
        end = second.map(flaky.map([1, 2]))
    with clock.use(VirtualClock()):
        assert flow.run().result[end].result == [1, 2]
    assert SEEN == [("flaky", 1), ("flaky", 2), ("second", 2), ("flaky", 1), ("second", 1)]


@pytest.mark.parametrize("executor", ["in-process", "threads"])
def test_a_child_below_another_that_is_tried_again_later_runs_once_for_each_attempt(executor: str) -> None:
    @task(max_retries=2, retry_delay=timedelta(hours=1))
    def flaky(x: int) -> int:
        SEEN.append(("flaky", (x, context.task_run_count)))
        if x > 1 and context.task_run_count <= x - 1:
            raise ValueError(x)
        return x * 10

    with Flow("retrying below") as flow:
        above = flaky.map(first.map([1, 2, 3]))
        end = second.map(above)
    with clock.use(VirtualClock()) as time:
        assert flow.run(executor=executor).result[end].result == [10, 20, 30]
        assert time.monotonic() == 2 * 3600
    attempts = sorted(what for name, what in SEEN if name == "flaky")
    assert attempts == [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)]


@pytest.mark.parametrize("executor", ["in-process", "threads"])
def test_a_child_below_another_that_is_paused_is_asked_for_and_not_run_anew(executor: str) -> None:
    @task
    def ask(x: int) -> int:
        SEEN.append(("ask", x))
        raise signals.PAUSE("really?")

    with Flow("paused below") as flow:
        asked = ask.map(first.map([1, 2]))
    state = flow.run(executor=executor)
    assert state.is_running()
    assert [child.type for child in state.result[asked].map_states] == ["Paused", "Paused"]
    assert sorted(x for name, x in SEEN if name == "ask") == [1, 2]


def test_a_failed_child_fails_only_what_is_below_it_and_triggers_see_their_own_child() -> None:
    @task
    def odd_only(x: int) -> int:
        if x % 2 == 0:
            raise ValueError(x)
        return x

    @task(trigger=triggers.any_failed)
    def mourn(x: Any) -> str:
        return type(x).__name__

    with Flow("failing") as flow:
        above = odd_only.map([1, 2, 3])
        below, mourned = second.map(above), mourn.map(above)
    result = flow.run().result
    assert [child.type for child in result[below].map_states] == ["Success", "TriggerFailed", "Success"]
    assert [child.type for child in result[mourned].map_states] == ["TriggerFailed", "Success", "TriggerFailed"]
    assert result[mourned].map_states[1].result == "ValueError"


def test_a_skipped_child_skips_what_is_below_it() -> None:
    @task
    def no_twos(x: int) -> int:
        if x == 2:
            raise signals.SKIP("two")
        return x

    with Flow("skipping") as flow:
        end = third.map(second.map(no_twos.map([1, 2, 3])))
    assert [child.type for child in flow.run().result[end].map_states] == ["Success", "Skipped", "Success"]


def test_two_maps_above_of_different_length_meet_in_the_shorter() -> None:
    with Flow("meeting") as flow:
        end = third.map(first.map([1, 2, 3]), second.map([10, 20]))
    assert flow.run().result[end].result == [11, 22]
    with ThreadPoolExecutor(3) as pool:
        assert flow.run(executor=pool).result[end].result == [11, 22]


def test_what_a_map_waits_for_besides_comes_first() -> None:
    with Flow("waiting") as flow:
        late = first(7)
        end = third.map(second.map([1, 2]), unmapped(late))
    assert flow.run().result[end].result == [8, 9]


class Heavy:
    """A value whose life can be watched."""


def test_values_that_nobody_needs_any_more_can_be_let_go() -> None:
    alive: list[weakref.ref[Heavy]] = []
    most: list[int] = []

    @task
    def make(_: int) -> Heavy:
        heavy = Heavy()
        alive.append(weakref.ref(heavy))
        return heavy

    @task
    def weigh(heavy: Heavy) -> int:
        gc.collect(0)
        most.append(sum(ref() is not None for ref in alive))
        return len(most)

    with Flow("letting go") as flow:
        made = make.map(list(range(20)))
        end = weigh.map(made)
        one = make(0)
        last = weigh(one)
    result = flow.run(keep_values=False).result
    assert max(most) <= 2
    assert result[end].result == list(range(1, 21))
    assert [result[one].result, result[last].result] == [None, 21]
    assert result[made].map_states[3] == Success(None, None)
    most.clear()
    flow.run()
    assert most[19] == 20


@pytest.mark.parametrize("executor", ["in-process", "threads"])
def test_letting_a_value_go_takes_it_from_nobody_who_was_given_it(executor: str) -> None:
    @task
    def passed_on(numbers: list[int]) -> list[int]:
        return numbers

    @task
    def last(numbers: list[int]) -> int:
        return numbers[-1]

    with Flow("passing on") as flow:
        mapped = first.map([1, 2])
        end = last(passed_on(mapped))
        skipped_to = first(7)
        after = second(skipped_to)
    given, known = flow.run().result[mapped], Success("known", 7)
    assert flow.run(keep_values=False, executor=executor).result[end].result == 2
    earlier: dict[Task, State] = {mapped: given, skipped_to: known}
    result = flow.run(keep_values=False, task_states=earlier, executor=executor).result
    assert [result[one].result for one in (mapped, end, skipped_to, after)] == [[None, None], 2, None, 7]
    assert [given.result, known.result] == [[1, 2], 7]
    assert [child.result for child in given.map_states] == [1, 2]


def test_children_that_ended_in_an_earlier_run_are_not_run_again() -> None:
    with Flow("going on") as flow:
        above = first.map([1, 2, 3])
        end = second.map(above)
    earlier = Mapped(map_states=[Success(None, 10), states.Pending(), Retrying(run_count=2)])
    assert flow.run(task_states={above: earlier}).result[end].result == [10, 2, 3]
    assert [x for name, x in SEEN if name == "first"] == [2, 3]


def test_a_million_children_are_never_all_at_the_pool() -> None:
    most = 0

    class Counting(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            nonlocal most
            most = max(most, self._work_queue.qsize())
            return super().submit(*args, **kwargs)

    with Flow("many") as flow:
        numbers = Parameter("numbers")
        end = second.map(numbers)
    with Counting(2) as pool:
        assert flow.run(numbers=range(5_000), executor=pool).result[end].result == list(range(5_000))
    assert most <= 256


@pytest.mark.parametrize("executor", ["in-process", "threads"])
def test_a_paused_child_holds_up_what_comes_after_all_children(executor: str) -> None:
    @task
    def ask(x: int) -> int:
        if x == 2 and not context.get("resume"):
            raise signals.PAUSE("really?")
        return x

    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    with Flow("paused") as flow:
        asked = ask.map([1, 2, 3])
        summed = total(asked)
    state = flow.run(executor=executor)
    assert state.is_running()
    assert [child.type for child in state.result[asked].map_states] == ["Success", "Paused", "Success"]
    assert state.result[summed].is_pending()
