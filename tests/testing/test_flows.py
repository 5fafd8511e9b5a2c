"""The harness runs flows for tests: replaced where they would touch the world, and open to questions."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, Parameter, clock, context, errors, hookimpl, hooks, settings, signals, task
from penstock.results import LocalResult
from penstock.testing import (
    Harness,
    assert_failed,
    assert_skipped,
    assert_states,
    assert_success,
    harness,
    is_serializable,
    raise_on_exception,
)


@pytest.fixture
def flows() -> Iterator[Harness]:
    with harness() as made:
        yield made


@task(max_retries=1, retry_delay=3600)
def load(source: str) -> list[int]:
    raise ConnectionError(f"{source} is away")


@task
def double(number: int) -> int:
    if number < 0:
        raise ValueError("negative")
    return 2 * number


@task(name="total")
def add_up(numbers: list[int]) -> int:
    return sum(numbers)


def etl() -> Flow:
    with Flow("etl") as flow:
        add_up(double.map(load(Parameter("source", default="here"))))
    return flow


def test_a_replaced_task_returns_its_value(flows: Harness) -> None:
    run = flows.run(etl(), replace={"load": [1, 2]})
    assert_success(run)
    assert (run.value("double"), run.value("double[1]"), run.value("total")) == ([2, 4], 4, 6)


def test_a_replacement_may_be_a_function_of_the_same_inputs(flows: Harness) -> None:
    run = flows.run(etl(), source="there", replace={"load": lambda source: [len(source)]})
    assert run.value("total") == 10


def test_a_replacement_may_be_an_exception_and_is_retried_like_the_task(flows: Harness) -> None:
    run = flows.run(etl(), replace={"load": TimeoutError("slow")})
    assert_failed(run.state_of("load"), "TimeoutError: slow")
    assert run.history["load"] == ["Running", "Retrying", "Running", "Failed"]
    assert flows.clock.monotonic() == pytest.approx(3600, abs=1)


def test_a_flow_is_as_before_once_it_was_run_with_replacements(flows: Harness) -> None:
    flow = etl()
    before = flow.tasks
    flows.run(flow, replace={"load": [1]})
    assert flow.tasks == before
    assert_failed(flows.run(flow).state_of("load"), "here is away")


def test_tasks_are_asked_for_by_name_slug_or_themselves(flows: Harness) -> None:
    with Flow("twins") as flow:
        one, other = double(1), double(2)
    run = flows.run(flow, replace={other: 7})
    assert (run.value(one), run.value("double-1"), run.value("double-2")) == (2, 2, 7)
    assert run.task_runs == ["double-1", "double-2"]
    with pytest.raises(errors.UnknownTaskError, match=r"are called 'double'; say which: .*double-1.*double-2"):
        run.value("double")


@pytest.mark.parametrize("executor", ["in-process", "threads", "processes"])
def test_replacements_hold_on_every_executor(executor: str, flows: Harness) -> None:
    assert flows.run(etl(), replace={"load": [3, 4]}, executor=executor).value("total") == 14


def test_a_coroutine_is_replaced_by_a_value_or_another_coroutine_function(flows: Harness) -> None:
    @task
    async def fetch(number: int) -> int:
        raise ConnectionError

    async def other(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    with Flow("coroutines") as flow:
        fetch(1)
    assert flows.run(flow, replace={"fetch": 5}).value("fetch") == 5
    assert flows.run(flow, replace={fetch.name: other}).value("fetch") == 2
    with pytest.raises(TypeError, match=r"'load' is a plain function, and its replacement .* a coroutine function"):
        flows.run(etl(), replace={"load": other})


def test_what_cannot_be_replaced_or_found_is_named(flows: Harness) -> None:
    with pytest.raises(errors.UnknownTaskError, match=r"has no task 'laod'.*load"):
        flows.run(etl(), replace={"laod": 1})
    with pytest.raises(errors.ParameterError, match=r"give its value: run\(flow, source=...\)"):
        flows.run(etl(), replace={"source": 1})
    with pytest.raises(errors.UnknownTaskError, match="has no task <Task: other>"):
        flows.run(etl()).state_of(task(name="other")(lambda: 1))
    with pytest.raises(errors.UnknownTaskError, match=r"ran no double\[2\]; double has 2 children"):
        flows.run(etl(), replace={"load": [1, 2]}).state_of("double[2]")


def test_the_history_tells_what_each_task_run_went_through(flows: Harness) -> None:
    run = flows.run(etl(), replace={"load": [1, -1]})
    assert run.history == {
        "load": ["Running", "Success"],
        "double[0]": ["Running", "Success"],
        "double[1]": ["Running", "Failed"],
        "double": ["Mapped"],
        "total": ["TriggerFailed"],
    }
    assert run.task_runs == list(run.history)


def test_a_failed_task_has_no_value(flows: Harness) -> None:
    with pytest.raises(AssertionError, match="load has no value, it is Failed: ConnectionError: here is away"):
        flows.run(etl()).value("load")


def test_a_flow_that_ended_without_its_tasks_says_so(flows: Harness) -> None:
    def fail(flow: Flow, old: Any, new: Any) -> None:
        raise signals.FAIL("not today")

    with Flow("early", state_handlers=[fail]) as flow:
        double(1)
    run = flows.run(flow)
    with pytest.raises(AssertionError, match='"early", 1 tasks> ended without running its tasks: Failed: not today'):
        run.state_of("double")
    assert repr(run) == 'Run of "early": Failed: not today'


def test_nothing_of_the_users_own_penstock_is_touched() -> None:
    home, level = os.environ["PENSTOCK_HOME"], logging.getLogger("penstock").level
    told: list[object] = []

    class Watching:
        @hookimpl
        def penstock_task_run_state(self, run: object) -> None:
            told.append(run)

        @hookimpl
        def penstock_flow_run_state(self, run: object) -> None:
            told.append(run)

    with hooks.observing(Watching()):
        with harness(start=datetime(2026, 3, 20, tzinfo=UTC), settings={"agent": {"limit": 3}}) as flows:
            flows.run(etl(), replace={"load": [1]})
            assert told == []
            assert settings.get().home == flows.home
            assert settings.get().agent.limit == 3
            assert flows.home.is_dir()
            assert clock.now() == datetime(2026, 3, 20, tzinfo=UTC)
        with Flow("watched") as flow:
            double(1)
        flow.run()
        assert told
    assert not flows.home.exists()
    assert os.environ["PENSTOCK_HOME"] == home
    assert type(clock.current()) is clock.Clock
    assert logging.getLogger("penstock").level == level


def test_results_are_not_written_unless_asked_for(tmp_path: Path) -> None:
    @task(result=LocalResult(str(tmp_path / "results"), location="one"))
    def one() -> int:
        return 1

    with Flow("kept") as flow:
        one()
    with harness() as flows:
        assert flows.run(flow).state_of("one").location is None
    assert not (tmp_path / "results").exists()
    with harness(settings={"flows": {"checkpointing": True}}) as flows:
        assert flows.run(flow).state_of("one").location is not None
    assert (tmp_path / "results/one").is_file()


@pytest.mark.parametrize("checkpointing", [True, False])
def test_each_harness_begins_with_an_empty_cache(checkpointing: bool) -> None:
    calls: list[int] = []

    @task(cache_for=timedelta(hours=1))
    def count() -> int:
        calls.append(1)
        return len(calls)

    with Flow("cached") as flow:
        count()
    for expected in (1, 2):
        with harness(settings={"flows": {"checkpointing": checkpointing}}) as flows:
            assert [flows.run(flow).value("count") for _ in range(2)] == [expected, expected]


def test_logs_are_quiet_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with harness() as flows:
        flows.run(etl())
    assert caplog.text == ""
    with harness(log_level="ERROR") as flows:
        flows.run(etl())
    assert "here is away" in caplog.text


def test_assertions_say_what_they_found(flows: Harness) -> None:
    run = flows.run(etl(), replace={"load": [1, -1]})
    with pytest.raises(AssertionError) as raised:
        assert_success(run)
    assert str(raised.value).splitlines()[:2] == [
        "Expected a success; found",
        'Run of "etl": Failed: Some reference tasks failed.',
    ]
    assert "  double: Mapped" in str(raised.value)
    with pytest.raises(AssertionError, match="Expected a failure whose message contains 'other'; found\nFailed: Value"):
        assert_failed(run.state_of("double[1]"), "other")
    with pytest.raises(AssertionError, match="Expected Skipped; found\nSuccess: "):
        assert_skipped(run.state_of("load"))
    with pytest.raises(AssertionError, match="Expected a failure; found\nSuccess"):
        assert_failed(run.state_of("load"))


def test_states_are_compared_by_name(flows: Harness) -> None:
    run = flows.run(etl(), replace={"load": [1, -1]})
    assert_states(run, {"load": "Success", "double": "Mapped", "double[1]": "Failed", "total": "TriggerFailed"})
    with pytest.raises(AssertionError) as raised:
        assert_states(run, {"load": "Failed", "double[0]": "Success", "double[1]": "Success"})
    assert str(raised.value).splitlines() == [
        'In the run of "etl"',
        "  load should be Failed and is Success: Task run succeeded.",
        "  double[1] should be Success and is Failed: ValueError: negative",
    ]


def test_a_skipped_state_is_no_success_to_an_assertion(flows: Harness) -> None:
    @task
    def skip() -> None:
        raise signals.SKIP("nothing new")

    with Flow("skipping") as flow:
        skip()
    run = flows.run(flow)
    assert_skipped(run.state_of("skip"))
    with pytest.raises(AssertionError, match="Expected a success; found\nSkipped: nothing new"):
        assert_success(run.state_of("skip"))


def test_an_exception_comes_out_of_the_run_where_asked_for(flows: Harness) -> None:
    with raise_on_exception(), pytest.raises(ConnectionError, match="here is away"):
        flows.run(etl())
    assert "raise_on_exception" not in context

    @task
    def skip() -> None:
        raise signals.SKIP("nothing new")

    with Flow("skipping") as flow:
        skip()
    with raise_on_exception():
        assert_skipped(flows.run(flow).state_of("skip"))


def test_what_can_travel_is_told_by_trying() -> None:
    assert is_serializable([1, lambda x: x + 1])
    assert not is_serializable(threading.Lock())
    with pytest.raises(errors.SerializationError, match="type lock cannot be pickled"):
        is_serializable(threading.Lock(), raise_on_error=True)


def test_what_only_this_process_knows_cannot_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local:
        pass

    Local.__module__, Local.__qualname__ = "only_here", "Local"
    module = type(sys)("only_here")
    module.Local = Local  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "only_here", module)
    assert not is_serializable(Local())
    with pytest.raises(errors.SerializationError, match=r"type Local cannot be read in another process: .*only_here"):
        is_serializable(Local(), raise_on_error=True)


def test_testing_needs_no_pytest() -> None:
    code = (
        "import sys\n"
        "from penstock import Flow, task\n"
        "from penstock.testing import harness, assert_success, is_serializable, raise_on_exception, VirtualClock\n"
        "@task\n"
        "def one(): return 1\n"
        "with Flow('f') as flow: one()\n"
        "with harness() as h: print(h.run(flow).value('one'), 'pytest' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "1 False\n"


def test_an_unknown_name_lists_what_there_is() -> None:
    import penstock

    assert set(penstock.testing.__all__) == set(dir(penstock.testing))
    with pytest.raises(AttributeError, match="has no attribute 'hraness'; it has Harness"):
        _ = penstock.testing.hraness
