"""What becomes of a flow's tasks when it runs."""

import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import cloudpickle
import pytest

import penstock
from penstock import Flow, Parameter, Task, clock, signals, states, task, triggers
from penstock.states import Failed, Mapped, Paused, Retrying, Skipped, State, Success, TriggerFailed
from penstock.testing.clocks import VirtualClock


@pytest.fixture
def time() -> Iterator[VirtualClock]:
    with clock.use(VirtualClock()) as virtual:
        yield virtual  # type: ignore[misc]


@pytest.fixture(params=["in process", "threads"])
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "in process":
        yield "in-process"
    else:
        with ThreadPoolExecutor(4) as pool:
            yield pool


@task
def one() -> int:
    return 1


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def fail(*, message: str = "no") -> None:
    raise ValueError(message)


@task
def skip() -> None:
    raise signals.SKIP("not today")


def test_values_pass_along_the_edges(executor: Any) -> None:
    with Flow("sums") as flow:
        first = one()
        second = add(first, 2)
        third = add(x=second, y=first)
    state = flow.run(executor=executor)
    assert state.is_successful()
    assert state.message == "All reference tasks succeeded."
    assert [state.result[t].result for t in (first, second, third)] == [1, 3, 4]


def test_collections_of_tasks_are_gathered(executor: Any) -> None:
    @task
    def same(value: Any) -> Any:
        return value

    with Flow("collections") as flow:
        a, b = one(), add(1, 1)
        gathered = same({"list": [a, b], "nested": ({"b": b}, 3), "plain": [1, 2]})
    state = flow.run(executor=executor)
    assert state.result[gathered].result == {"list": [1, 2], "nested": ({"b": 2}, 3), "plain": [1, 2]}


def test_a_failure_fails_what_waits_for_it_and_nothing_else(executor: Any) -> None:
    with Flow("failing") as flow:
        bad, good = fail(), one()
        below = add(bad)
        beside = add(good)
    state = flow.run(executor=executor)
    assert state.is_failed()
    assert state.message == "Some reference tasks failed."
    assert isinstance(state.result[bad], Failed)
    assert state.result[bad].message == "ValueError: no"
    assert isinstance(state.result[bad].result, ValueError)
    assert isinstance(state.result[below], TriggerFailed)
    assert state.result[beside].result == 2


def test_reference_tasks_decide_how_the_run_ends(executor: Any) -> None:
    with Flow("forgiving") as flow:
        good = one()
        fail(upstream_tasks=[good])
        flow.set_reference_tasks([good])
    assert flow.run(executor=executor).is_successful()


def test_a_skip_passes_down_unless_a_task_refuses_it(executor: Any) -> None:
    with Flow("skips") as flow:
        skipped = skip()
        below = add(skipped)
        stubborn = one(task_args={"skip_on_upstream_skip": False}, upstream_tasks=[skipped])
    state = flow.run(executor=executor)
    assert state.is_successful()
    assert [type(state.result[t]) for t in (skipped, below, stubborn)] == [Skipped, Skipped, Success]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (triggers.all_successful, TriggerFailed),
        (triggers.all_failed, TriggerFailed),
        (triggers.any_successful, Success),
        (triggers.any_failed, Success),
        (triggers.all_finished, Success),
        (triggers.manual_only, Paused),
        (triggers.some_failed(at_least=1), Success),
        (triggers.some_failed(at_least=0.9), TriggerFailed),
        (triggers.some_successful(at_most=0.5), Success),
    ],
)
def test_triggers_look_at_every_upstream_state(trigger: Any, expected: type[State], executor: Any) -> None:
    with Flow("triggers") as flow:
        last = one(task_args={"trigger": trigger}, upstream_tasks=[one(), fail()])
    state = flow.run(executor=executor)
    assert type(state.result[last]) is expected


def test_a_trigger_that_raises_fails_its_task(executor: Any) -> None:
    def broken(upstream: Any) -> bool:
        raise ZeroDivisionError

    with Flow("broken trigger") as flow:
        last = one(task_args={"trigger": broken})
        below = add(last)
    state = flow.run(executor=executor)
    assert isinstance(state.result[last], Failed)
    assert "ZeroDivisionError" in (state.result[last].message or "")
    assert isinstance(state.result[below], TriggerFailed)


def test_a_paused_task_leaves_the_run_unfinished() -> None:
    with Flow("waiting") as flow:
        held = one(task_args={"trigger": triggers.manual_only})
        below = add(held)
    state = flow.run()
    assert state.is_running()
    assert isinstance(state.result[held], Paused)
    assert state.result[below].is_pending()
    assert flow.run(context={"resume": True}).is_successful()


class Flaky(Task):
    """Fails as often as it is told to."""

    def __init__(self, failures: int, **options: Any) -> None:
        super().__init__(**options)
        self.calls: list[int] = []
        self.failures = failures

    def run(self) -> int:
        self.calls.append(penstock.context.task_run_count)
        if len(self.calls) <= self.failures:
            raise OSError(len(self.calls))
        return len(self.calls)


def test_an_hour_of_retries_passes_in_virtual_time(time: VirtualClock) -> None:
    flaky = Flaky(3, max_retries=3, retry_delay=timedelta(minutes=20))
    with Flow("retries") as flow:
        tried = flaky()
        below, beside = add(tried), one()
    state = flow.run()
    assert state.is_successful()
    assert (state.result[tried].result, state.result[below].result, state.result[beside].result) == (4, 5, 1)
    assert tried.calls == [1, 2, 3, 4]
    assert time.monotonic() == pytest.approx(3600)


def test_retries_end_with_the_last_failure(executor: Any) -> None:
    with Flow("hopeless") as flow:
        tried = Flaky(9, max_retries=2, retry_delay=0)()
    state = flow.run(executor=executor)
    assert state.is_failed()
    assert len(tried.calls) == 3
    assert state.result[tried].message == "OSError: 3"


@pytest.mark.parametrize(
    ("delay", "why"),
    [
        (lambda _attempt: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _attempt: timedelta.max, "OverflowError: date value out of range"),
    ],
)
def test_a_retry_delay_that_cannot_be_told_fails_its_task_alone(delay: Any, why: str, executor: Any) -> None:
    @task(max_retries=1, retry_delay=delay)
    def asks() -> None:
        raise signals.RETRY("once more")

    with Flow("no delay") as flow:
        failed, asked, other = Flaky(9, max_retries=1, retry_delay=delay)(), asks(), one()
    result = flow.run(executor=executor).result
    for state in (result[failed], result[asked]):
        assert (state.type, state.message) == ("Failed", f"The retry_delay after attempt 1 could not be run: {why}")
    assert result[other].is_successful()


class WordlessError(Exception):
    """Has no text to give."""

    def __str__(self) -> str:
        raise LookupError


def test_an_exception_that_cannot_say_what_it_is_about_fails_its_task_as_any_other(executor: Any) -> None:
    @task
    def wordless() -> None:
        raise WordlessError

    @task(trigger=lambda _states: wordless.run())
    def guarded() -> None:
        """Never run."""

    @task(task_run_name=lambda **_: wordless.run())
    def named() -> None:
        """Never run."""

    with Flow("wordless") as flow:
        failed, other, untold = wordless(), one(), named()
        refused = guarded(upstream_tasks=[other])
    result = flow.run(executor=executor).result
    assert result[failed].message == "WordlessError: <its text cannot be made>"
    assert isinstance(result[failed].result, WordlessError)
    assert result[failed].context["exception"]["message"] == "<its text cannot be made>"
    assert result[refused].message.endswith("could not be run: WordlessError: <its text cannot be made>")
    assert "cannot be filled: WordlessError: <its text cannot be made>" in result[untold].message
    assert result[other].is_successful()


def test_only_the_exceptions_of_retry_on_are_retried() -> None:
    with Flow("choosy") as flow:
        tried = Flaky(1, max_retries=2, retry_delay=0, retry_on=ValueError)()
    assert flow.run().is_failed()
    assert tried.calls == [1]


@pytest.mark.parametrize(
    ("signal", "calls"),
    [
        (lambda: signals.FAIL("again"), 3),
        (lambda: signals.RETRY("again"), 9),
        (lambda: signals.ENDRUN(Failed("over")), 1),
        (lambda: signals.SUCCESS("fine"), 1),
    ],
    ids=["FAIL", "RETRY", "ENDRUN", "SUCCESS"],
)
def test_signals_choose_the_state_and_whether_to_retry(signal: Any, calls: int, time: VirtualClock) -> None:
    called = []

    @task(max_retries=2, retry_delay=1)
    def signalling() -> int:
        called.append(1)
        if len(called) < 9:
            raise signal()
        return 1

    with Flow("signals") as flow:
        signalling()
    flow.run()
    assert len(called) == calls


@pytest.mark.parametrize("wrong", [Failed, "over", None])
def test_endrun_with_what_is_no_state_fails_the_task_and_says_what_it_takes(wrong: Any, executor: Any) -> None:
    @task
    def ending() -> None:
        raise signals.ENDRUN(wrong)

    with Flow("ending") as flow:
        ended = ending()
    state = flow.run(executor=executor).result[ended]
    assert state.is_failed()
    assert state.message == f"TypeError: ENDRUN takes a state; found {wrong!r}. Write ENDRUN(Failed('why'))"


def test_a_loop_sees_its_round_and_the_result_before(executor: Any) -> None:
    @task
    def doubled() -> int:
        result: int = penstock.context.get("task_loop_result", 1)
        if penstock.context.get("task_loop_count", 1) < 5:
            raise signals.LOOP(result=result * 2)
        return result

    with Flow("looping") as flow:
        looped = doubled()
    assert flow.run(executor=executor).result[looped].result == 16


def test_a_mapped_task_runs_once_an_item_and_is_reduced(executor: Any) -> None:
    with Flow("mapping") as flow:
        numbers = Parameter("numbers", default=[1, 2, 3])
        more = add.map(numbers, penstock.unmapped(one()))
        again = add.map(more, [10, 20, 30, 40])
        summed = total(again)
    state = flow.run(executor=executor)
    assert isinstance(state.result[more], Mapped)
    assert state.result[more].result == [2, 3, 4]
    assert [child.result for child in state.result[again].map_states] == [12, 23, 34]
    assert state.result[summed].result == 69
    assert flow.run(numbers=[], executor=executor).result[summed].result == 0


def test_a_task_may_change_the_list_of_a_mapped_task_which_stays_what_it_was_for_the_others(executor: Any) -> None:
    @task
    def drained(numbers: list[int]) -> int:
        taken = len(numbers)
        numbers.clear()
        return taken

    @task
    def times(x: int, of: list[int], count: int) -> int:
        of.append(0)
        return x * count

    with Flow("draining") as flow:
        mapped = add.map([1, 2, 3])
        count = drained(mapped)
        summed = total(mapped, upstream_tasks=[count])
        multiplied = times.map(mapped, penstock.unmapped(mapped), penstock.unmapped(count))
    result = flow.run(executor=executor).result
    assert [result[one].result for one in (count, summed, multiplied)] == [3, 9, [6, 9, 12]]
    assert result[mapped].result == [child.result for child in result[mapped].map_states] == [2, 3, 4]
    assert repr(result[mapped].map_states) == "<states of 3 children>"


def test_a_failed_child_fails_only_its_own_line(executor: Any) -> None:
    @task
    def inverse(x: int) -> float:
        return 1 / x

    with Flow("lines") as flow:
        first = inverse.map([1, 0, 2])
        second = add.map(first)
        reduced = total(second)
        counted = one(task_args={"trigger": triggers.some_successful(at_least=2)}, upstream_tasks=[second])
    state = flow.run(executor=executor)
    assert [type(child) for child in state.result[first].map_states] == [Success, Failed, Success]
    assert [type(child) for child in state.result[second].map_states] == [Success, TriggerFailed, Success]
    assert isinstance(state.result[reduced], TriggerFailed)
    assert state.result[counted].is_successful()
    assert state.is_failed()


def test_a_child_is_retried_alone(executor: Any) -> None:
    attempts: list[tuple[int, int]] = []

    @task(max_retries=2, retry_delay=0)
    def picky(x: int) -> int:
        attempts.append((x, penstock.context.task_run_count))
        if x == 2 and penstock.context.task_run_count < 3:
            raise ValueError(x)
        return x * 10

    with Flow("child retries") as flow:
        mapped = picky.map([1, 2, 3])
        summed = total(mapped)
        beside = one()
    state = flow.run(executor=executor)
    assert state.is_successful()
    assert state.result[summed].result == 60
    assert sorted(attempts) == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1)]
    assert not state.result[mapped].map_states[1].is_retrying()
    assert state.result[beside].result == 1


def test_flatten_takes_out_one_level(executor: Any) -> None:
    @task
    def twice(x: int) -> list[int]:
        return [x, x]

    with Flow("flattening") as flow:
        nested = twice.map([1, 2])
        flat = add.map(penstock.flatten(nested))
        whole = total(penstock.flatten(nested))
    state = flow.run(executor=executor)
    assert state.result[flat].result == [2, 2, 3, 3]
    assert state.result[whole].result == 6


class Without(list[Any]):
    """A list that has lost some of its items, and cannot be iterated over."""

    def __init__(self, lost: set[int], items: Any) -> None:
        super().__init__(items)
        self.lost = lost

    def __getitem__(self, index: Any) -> Any:
        if index in self.lost:
            raise LookupError(index)
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[Any]:
        raise LookupError("all")


@pytest.mark.parametrize("retries", [{}, {"max_retries": 1, "retry_delay": 0}])
def test_a_child_whose_item_cannot_be_read_fails_alone(retries: Any, executor: Any) -> None:
    with Flow("lost") as flow:
        numbers = Parameter("numbers")
        added = add.map(numbers, task_args=retries)
        below, other = add.map(added), one()
    result = flow.run(numbers=Without({1, 700}, range(1_000)), executor=executor).result
    lost = [index for index, child in enumerate(result[added].map_states) if child.is_failed()]
    assert lost == [1, 700]
    assert result[added].map_states[700].message == "LookupError: 700"
    assert [type(child) for child in result[below].map_states[699:702]] == [Success, TriggerFailed, Success]
    assert result[below].map_states[699].result == 701
    assert result[other].is_successful()


def test_a_task_whose_input_cannot_be_flattened_fails_alone(executor: Any) -> None:
    with Flow("unread") as flow:
        numbers = Parameter("numbers")
        summed, added, other = total(penstock.flatten(numbers)), add.map(penstock.flatten(numbers)), one()
    result = flow.run(numbers=Without(set(), []), executor=executor).result
    assert [result[one].message for one in (summed, added)] == ["LookupError: all"] * 2
    assert result[other].is_successful()


class Unsized:
    """Has no length, though it seems to: as an array without dimensions."""

    def __len__(self) -> int:
        raise TypeError("no length")

    def __getitem__(self, index: int) -> int:
        return index


def test_mapping_over_what_has_no_length_though_it_seems_to_fails_the_task(executor: Any) -> None:
    with Flow("unsized") as flow:
        mapped, other = add.map(Parameter("value", default=Unsized())), one()
    result = flow.run(executor=executor).result
    assert result[mapped].message == "TypeError: no length"
    assert result[other].is_successful()


@pytest.mark.parametrize("value", [5, {"a": 1}, None])
def test_mapping_over_what_cannot_be_indexed_fails_the_task(value: Any, executor: Any) -> None:
    with Flow("unmappable") as flow:
        mapped = add.map(Parameter("value", default=value))
    state = flow.run(executor=executor)
    assert state.result[mapped].message == "At least one upstream state has an unmappable result."


def test_mapping_over_a_failed_task_fails_whatever_its_trigger(executor: Any) -> None:
    with Flow("nothing to map") as flow:
        failed = fail()
        mapped = add.map(failed)
        stubborn = add.map(failed, task_args={"trigger": triggers.all_finished})
    state = flow.run(executor=executor)
    for task_state in (state.result[mapped], state.result[stubborn]):
        assert type(task_state) is Failed
        assert task_state.message == "No upstream states can be mapped over."


def test_a_chain_of_a_hundred_thousand_tasks_needs_no_recursion() -> None:
    with Flow("long") as flow:
        last: Any = one()
        for _ in range(99_999):
            last = add(last)
    assert flow.run().result[last].result == 100_000


def test_a_task_that_waits_for_a_retry_far_up_a_long_chain_runs_in_the_end() -> None:
    with Flow("late") as flow:
        last: Any = Flaky(1, max_retries=1, retry_delay=0)()
        for _ in range(5_000):
            last = add(last)
    assert flow.run().result[last].result == 5_002


def test_the_context_says_where_a_task_runs(executor: Any) -> None:
    names = ("flow_name", "task_name", "task_full_name", "task_slug", "map_index", "task_run_count", "parameters")

    @task(tags={"b", "a"})
    def look(x: int) -> dict[str, Any]:
        assert penstock.context.get("nothing") is None
        assert set(names) <= set(penstock.context)
        return {name: penstock.context[name] for name in names}

    with Flow("context") as flow:
        Parameter("p", default=3)
        alone, mapped = look(0), look.map([7, 8])
    state = flow.run(executor=executor)
    shared = {"flow_name": "context", "task_run_count": 1, "parameters": {"p": 3}, "task_name": "look"}
    alone_is = {"task_full_name": "look", "task_slug": "look-a-b-1", "map_index": None}
    child_is = {"task_full_name": "look[1]", "task_slug": "look-a-b-2", "map_index": 1}
    assert state.result[alone].result == shared | alone_is
    assert state.result[mapped].result[1] == shared | child_is
    assert "task_name" not in penstock.context


def test_each_of_many_children_sees_its_own_context_the_one_that_is_tried_again_included(executor: Any) -> None:
    @task(max_retries=1, retry_delay=0)
    def look(x: int) -> tuple[int, str, int]:
        at = penstock.context.map_index, penstock.context.task_full_name, penstock.context.task_run_count
        if x == 150 and at[2] == 1:
            raise ValueError(x)
        return at

    with Flow("many") as flow:
        mapped = look.map(list(range(200)))
    seen = flow.run(executor=executor).result[mapped].result
    assert seen == [(index, f"look[{index}]", 2 if index == 150 else 1) for index in range(200)]


def test_handlers_see_each_transition_and_may_replace_it() -> None:
    seen: list[tuple[str, str]] = []

    def watch(_: Task, old: State, new: State) -> State | None:
        seen.append((old.type, new.type))
        return Success("forgiven", 7) if type(new) is Failed and len(seen) > 4 else None

    tried = Flaky(9, max_retries=1, retry_delay=0, state_handlers=[watch])
    with Flow("handled") as flow:
        handled = tried()
    state = flow.run()
    assert seen == [
        ("Pending", "Running"),
        ("Running", "Failed"),
        ("Failed", "Retrying"),
        ("Retrying", "Running"),
        ("Running", "Failed"),
    ]
    assert state.result[handled].result == 7


def test_a_handler_that_raises_fails_its_task() -> None:
    def broken(_: Task, old: State, new: State) -> None:
        if new.is_finished():
            raise ZeroDivisionError

    with Flow("broken handler") as flow:
        handled = one(task_args={"state_handlers": [broken]})
    assert "ZeroDivisionError" in (flow.run().result[handled].message or "")


def test_flow_handlers_and_on_failure_are_called() -> None:
    seen: list[str] = []
    flow = Flow(
        "told",
        tasks=[fail],
        state_handlers=[lambda _, old, new: seen.append(f"{old.type} {new.type}")],
        on_failure=lambda _, state: seen.append(str(state.message)),
    )
    flow.run()
    assert seen == ["Pending Running", "Running Failed", "Some reference tasks failed."]


def test_a_user_sees_a_traceback_without_the_frameworks_frames() -> None:
    with Flow("traceback") as flow:
        failed = fail()
    error = flow.run().result[failed].result
    assert error.__traceback__.tb_frame.f_code.co_filename == __file__
    described = (flow.run().result[failed].context or {})["exception"]
    assert described["type"] == "ValueError"
    assert [set(frame) for frame in described["frames"]] == [{"file", "line", "function"}]


def test_leaving_the_interpreter_in_a_task_fails_the_task(executor: Any) -> None:
    @task
    def leave() -> None:
        raise SystemExit(3)

    with Flow("leaving") as flow:
        left = leave()
    assert flow.run(executor=executor).result[left].message == "SystemExit: 3"


def test_an_interrupt_ends_the_run() -> None:
    @task
    def interrupted() -> None:
        raise KeyboardInterrupt

    with Flow("interrupted") as flow:
        interrupted()
    with pytest.raises(KeyboardInterrupt):
        flow.run()
    assert "task_name" not in penstock.context


def test_an_interrupt_that_another_thread_takes_ends_the_run_at_once() -> None:
    let_go = threading.Event()
    ended: list[bool] = []

    @task
    def interrupt() -> None:
        let_go.wait(0.3)  # until the main thread waits, too
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        ended.append(let_go.wait(60))

    with Flow("interrupted elsewhere") as flow:
        interrupt()
        Flaky(1, max_retries=1, retry_delay=600)()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(2) as pool:
            with pytest.raises(KeyboardInterrupt):
                flow.run(executor=pool)
            assert not ended
            let_go.set()
    finally:
        signal.signal(signal.SIGINT, before)


def test_retrying_states_say_when_and_after_which_attempt(time: VirtualClock) -> None:
    seen: list[Retrying] = []

    def watch(_: Task, old: State, new: State) -> None:
        if isinstance(new, Retrying):
            seen.append(new)

    with Flow("timed") as flow:
        Flaky(2, max_retries=2, retry_delay=30, state_handlers=[watch])()
    begun = clock.now()
    flow.run()
    assert [(state.run_count, state.start_time) for state in seen] == [
        (1, begun + timedelta(seconds=30)),
        (2, begun + timedelta(seconds=60)),
    ]
    assert seen[0].message == "Retrying Task (after attempt 1 of 3)"


def test_states_of_a_run_can_be_kept_and_pickled() -> None:
    state = Flow("kept", tasks=[one]).run()
    again = pickle.loads(cloudpickle.dumps(state))
    assert again.is_successful()
    assert [child.result for child in again.result.values()] == [1]


def test_results_are_states_of_every_task_with_unrun_ones_pending() -> None:
    with Flow("all") as flow:
        held = one(task_args={"trigger": triggers.manual_only})
        below = add(held)
    state = flow.run()
    assert set(state.result) == {held, below}
    assert state.result[below] == states.Pending()
    assert state.result[below].message == "Task not run."


def test_what_a_policy_lets_wait_for_a_place_asks_again_when_its_time_has_come(time: VirtualClock) -> None:
    asked: list[tuple[str, int, float]] = []
    before: list[str] = []
    begun = clock.now()

    class Policy:
        @penstock.hookimpl
        def penstock_propose_state(self, run: Any, old: State, new: State) -> State | None:
            if not new.is_running():
                return None
            before.append(old.type)
            asked.append((run.name, run.attempt, (clock.now() - begun).total_seconds()))
            waits = run.task_name == "add" and len([one for one in asked if one[0] == run.name]) < 3
            return states.Queued("no place", start_time=clock.now() + timedelta(seconds=5)) if waits else None

    with Flow("crowded") as flow:
        added, single = add.map([1, 2]), one()
    with penstock.hooks.observing(Policy(), "policy"):
        state = flow.run()
    assert state.result[added].result == [2, 3]
    assert state.result[single].is_successful()
    assert sorted(asked) == [
        *(("add[0]", 1, seconds) for seconds in (0, 5, 10)),
        *(("add[1]", 1, seconds) for seconds in (0, 5, 10)),
        ("one", 1, 0),
    ]
    assert sorted(before) == ["Pending"] * 3 + ["Queued"] * 4
