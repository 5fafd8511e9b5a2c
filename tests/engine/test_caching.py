"""Results that were made before: caches and targets."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, Parameter, cache_validators, clock, settings, signals, task
from penstock.results import MemoryResult
from penstock.states import Cached, Success
from penstock.testing.clocks import VirtualClock

BODIES: list[Any] = []


@pytest.fixture(autouse=True)
def _no_bodies_yet() -> None:
    BODIES.clear()


@pytest.fixture(params=["in-process", "threads"])
def executor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@task
def double(x: int) -> int:
    BODIES.append(x)
    return x * 2


def test_a_result_serves_later_runs_until_it_expires(executor: str) -> None:
    with Flow("cached") as flow:
        doubled = double(1, task_args={"cache_for": timedelta(hours=1)})
    with clock.use(VirtualClock()) as time:
        states = [flow.run(executor=executor).result[doubled] for _ in range(2)]
        assert [(type(state), state.result) for state in states] == [(Cached, 2), (Cached, 2)]
        assert BODIES == [1]
        time.sleep(3601)
        flow.run(executor=executor)
    assert BODIES == [1, 1]


def test_a_cache_outlives_the_process_as_files(home: Path) -> None:
    with Flow("files") as flow:
        double(1, task_args={"cache_for": 60})
    flow.run()
    assert len(list((home / "results" / "cache").rglob("*.penstock"))) == 1
    flow.run()
    assert BODIES == [1]


@pytest.mark.parametrize(
    ("validator", "runs"),
    [
        (cache_validators.never_use, [1, 1, 2, 1]),
        (cache_validators.duration_only, [1]),
        (cache_validators.all_inputs, [1, 2]),
        (cache_validators.partial_inputs_only(["x"]), [1, 2]),
        (cache_validators.partial_inputs_only(["y"]), [1]),
        (cache_validators.all_parameters, [1, 2]),
        (cache_validators.partial_parameters_only(["p"]), [1, 2]),
        (cache_validators.partial_parameters_only(["q"]), [1]),
        (lambda state, inputs, _: state.result is None and inputs["x"] == 2, [1, 1, 1]),
    ],
    ids=["never", "duration", "inputs", "some inputs", "other inputs", "parameters", "some", "others", "own"],
)
def test_a_validator_says_which_results_serve(validator: Any, runs: list[int]) -> None:
    @task(cache_for=60, cache_validator=validator)
    def work(x: int, y: int = 0) -> int:
        BODIES.append(x)
        return x + y

    with Flow("validated") as flow:
        work(Parameter("p"))
    for value in (1, 1, 2, 1):
        flow.run(p=value)
    assert runs == BODIES


@pytest.mark.parametrize("only", [cache_validators.partial_inputs_only, cache_validators.partial_parameters_only])
def test_a_validator_takes_a_single_name_too(only: Any) -> None:
    @task(cache_for=60, cache_validator=only("size"))
    def work(size: int) -> int:
        BODIES.append(size)
        return size

    with Flow("sizes") as flow:
        made = work(Parameter("size"))
    assert [flow.run(size=size).result[made].result for size in (1, 2, 1)] == [1, 2, 1]
    assert BODIES == [1, 2]


class Array:
    """Compares as arrays of numpy do: to something that is neither true nor false."""

    def __init__(self, *values: int) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> Any:
        raise ValueError("The truth value of an array is ambiguous")

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize("name", ["all_parameters", "all_inputs"])
def test_values_that_do_not_compare_to_true_or_false_are_told_apart(name: str) -> None:
    @task(cache_for=60, cache_validator=getattr(cache_validators, name))
    def work(x: Any) -> int:
        BODIES.append(name)
        return len(x)

    with Flow("arrays") as flow:
        work(Parameter("p"))
    values = [Array(1, 2), Array(1, 2), [float("nan")], [float("nan")], Array(1, 2, 3), Array(1, 2)]
    assert all(flow.run(p=value).is_successful() for value in values)
    assert len(BODIES) == 3


def test_what_is_not_compared_need_not_be_told_apart() -> None:
    with Flow("locks") as flow:
        made = double(Parameter("p"), task_args={"cache_for": 60, "cache_key": "locks"})
    flow.run(p=1)
    state = flow.run(p=threading.Lock())
    assert (type(state.result[made]), state.result[made].result) == (Cached, 2)


def test_children_find_what_equal_children_left() -> None:
    @task(cache_for=60, cache_validator=cache_validators.all_inputs)
    def work(x: int) -> int:
        BODIES.append(x)
        return x * 2

    with Flow("children") as flow:
        mapped = work.map([1, 2, 1])
    assert flow.run().result[mapped].result == [2, 4, 2]
    assert BODIES == [1, 2]


def test_where_no_input_is_compared_a_result_serves_only_its_place(executor: str) -> None:
    with Flow("places") as flow:
        options = {"cache_for": 60}
        mapped = double.map([1, 2, 3], task_args=options)
        one, two = double(10, task_args=options), double(20, task_args=options)
    for _ in range(2):
        states = flow.run(executor=executor).result
        assert [states[task].result for task in (mapped, one, two)] == [[2, 4, 6], 20, 40]
    assert sorted(BODIES) == [1, 2, 3, 10, 20]


def test_tasks_with_one_cache_key_share_their_results() -> None:
    shared = {"cache_for": 60, "cache_key": "shared"}
    with Flow("shared") as flow:
        first = double(1, task_args=shared)
        second = double(5, task_args={**shared, "name": "other"}, upstream_tasks=[first])
    assert flow.run().result[second].result == 2
    assert BODIES == [1]


def test_with_checkpointing_off_a_cache_is_this_process_memory(home: Path) -> None:
    with Flow("memory") as flow:
        double(1, task_args={"cache_for": 60, "cache_key": "only in memory"})
    with settings.override({"flows": {"checkpointing": False}}):
        flow.run()
        flow.run()
    assert BODIES == [1]
    assert not (home / "results").exists()


def test_a_value_that_cannot_be_kept_fails_its_task() -> None:
    @task(cache_for=60)
    def unpicklable() -> Any:
        return (number for number in [1])

    with Flow("unpicklable") as flow:
        made = unpicklable()
    state = flow.run().result[made]
    assert state.is_failed()
    assert "cannot be pickled" in state.message


def holding_itself() -> list[Any]:
    held: list[Any] = []
    held.append(held)
    return held


@pytest.mark.parametrize("value", [threading.Lock(), holding_itself()], ids=["lock", "circle"])
@pytest.mark.parametrize("validator", ["duration_only", "all_inputs"])
def test_inputs_that_nothing_tells_apart_keep_a_result_from_the_cache_and_not_from_the_run(
    value: Any, validator: str, caplog: pytest.LogCaptureFixture
) -> None:
    @task(cache_for=60, cache_validator=getattr(cache_validators, validator))
    def use(given: Any) -> int:
        BODIES.append(type(given).__name__)
        return 1

    with Flow("untold") as flow:
        used = use(value)
    states = [flow.run().result[used] for _ in range(2)]
    assert [(type(state), state.result) for state in states] == [(Success, 1), (Success, 1)]
    assert len(BODIES) == 2
    assert "cannot be told from others" in caplog.text


def test_a_validator_that_raises_fails_its_task() -> None:
    def broken(*_: Any) -> bool:
        raise KeyError("nothing")

    with Flow("broken") as flow:
        cached = double(1, task_args={"cache_for": 60, "cache_validator": broken})
    flow.run()
    state = flow.run().result[cached]
    assert state.message == "TaskError: The cache_validator broken of 'double' failed: KeyError: 'nothing'"


def test_a_cache_that_cannot_be_read_is_not_used(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Flow("damaged") as flow:
        cached = double(1, task_args={"cache_for": 60})
    flow.run()
    for path in home.rglob("*.penstock"):
        path.write_bytes(b"rubbish")
    state = flow.run().result[cached]
    assert state.result == 2
    assert BODIES == [1, 1]
    assert "cannot be read" in caplog.text


def test_the_fingerprint_of_equal_values_is_equal() -> None:
    one = cache_validators.fingerprint({"a": {1, 2, 3}, "b": [1, (2, "x")]})
    assert one == cache_validators.fingerprint({"b": [1, (2, "x")], "a": {3, 2, 1}})
    assert one != cache_validators.fingerprint({"b": [1, [2, "x"]], "a": {3, 2, 1}})


def test_a_target_that_is_there_is_taken_instead_of_running(executor: str) -> None:
    kept = MemoryResult()
    with Flow("targets") as flow:
        mapped = double.map([1, 2, 3], task_args={"target": "{flow_name}/{task_name}-{x}", "result": kept})
    first = flow.run(executor=executor).result[mapped].map_states
    assert [(type(state), state.location.location) for state in first] == [
        (Success, f"targets/double-{x}") for x in (1, 2, 3)
    ]
    second = flow.run(executor=executor).result[mapped].map_states
    assert [(type(state), state.result) for state in second] == [(Cached, 2), (Cached, 4), (Cached, 6)]
    assert second[0].message == "Found at its target, targets/double-1"
    assert sorted(BODIES) == [1, 2, 3]


def test_a_target_may_be_a_function() -> None:
    kept = MemoryResult()
    with Flow("function") as flow:
        made = double(2, task_args={"target": lambda x, **_: f"number {x}", "result": kept})
    assert flow.run().result[made].location.location == "number 2"
    assert kept.read("number 2") == 4


def test_a_target_may_name_the_parameters_of_the_run() -> None:
    kept = MemoryResult()
    with Flow("named") as flow:
        given = Parameter("size", default=3)
        made = double(given, task_args={"target": "{size}-{x}-{parameters[size]}", "result": kept})
    assert flow.run().result[made].location.location == "3-3-3"


def test_a_target_may_be_a_path(home: Path) -> None:
    with Flow("path") as flow:
        double(2, task_args={"target": lambda x, **_: Path("numbers") / str(x)})
    flow.run()
    assert (home / "results" / "numbers" / "2").exists()


def test_a_target_without_a_result_is_a_file_in_the_home_folder(home: Path) -> None:
    with Flow("file") as flow:
        double(1, task_args={"target": "one.penstock"})
    flow.run()
    assert (home / "results" / "one.penstock").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{nothing}", "The target of task 'double', '{nothing}', cannot be filled: KeyError: 'nothing'; known are "),
        (lambda **_: 1 / 0, "The target of task 'double', <lambda>, cannot be filled: ZeroDivisionError"),
        (lambda **_: None, "The target of task 'double' is no text: TypeError: expected str"),
    ],
    ids=["template", "function", "nothing"],
)
def test_a_target_that_cannot_be_filled_fails_its_task(target: Any, message: str) -> None:
    with Flow("broken") as flow:
        made = double(1, task_args={"target": target})
    state = flow.run().result[made]
    assert state.is_failed()
    assert message in state.message
    assert BODIES == []


def test_a_damaged_target_fails_its_task(home: Path) -> None:
    with Flow("damaged") as flow:
        made = double(1, task_args={"target": "one"})
    flow.run()
    (home / "results" / "one").write_bytes(b"rubbish")
    state = flow.run().result[made]
    assert state.is_failed()
    assert "is not a penstock result" in state.message


def test_a_loop_ignores_its_target_after_the_first_round() -> None:
    kept = MemoryResult()

    @task(target="{task_name}", result=kept)
    def rounds() -> int:
        from penstock import context

        count = int(context.get("task_loop_count", 1))
        BODIES.append(count)
        if count < 3:
            raise signals.LOOP(result=count)
        return count

    with Flow("loop") as flow:
        looped = rounds()
    assert flow.run().result[looped].result == 3
    assert BODIES == [1, 2, 3]


def test_a_handler_sees_that_a_kept_result_was_not_made_anew() -> None:
    seen: list[tuple[str, str]] = []
    with Flow("seen") as flow:
        options = {"cache_for": 60, "state_handlers": [lambda _, old, new: seen.append((old.type, new.type))]}
        double(1, task_args=options)
    flow.run()
    flow.run()
    assert seen == [("Pending", "Running"), ("Running", "Cached"), ("Pending", "Cached")]


def test_in_a_pool_a_kept_result_is_looked_for_where_the_task_runs() -> None:
    seen: list[tuple[str, str]] = []
    with Flow("seen in a pool") as flow:
        options = {"cache_for": 60, "state_handlers": [lambda _, old, new: seen.append((old.type, new.type))]}
        double(1, task_args=options)
    flow.run()
    seen.clear()
    assert flow.run(executor="threads").is_successful()
    assert seen == [("Pending", "Running"), ("Running", "Cached")]
