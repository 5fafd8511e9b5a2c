"""Tasks: their options, their copies, and functions made into them."""

import inspect
import pickle
from datetime import timedelta
from typing import Any

import cloudpickle
import pytest

import penstock
from penstock import Flow, Task, errors, settings, task, triggers
from penstock.results import MemoryResult
from penstock.tasks import FunctionTask


class Step(Task):
    def __init__(self, size: int = 3, **options: Any) -> None:
        self.size = size
        super().__init__(**options)

    def run(self) -> int:
        return self.size


def test_a_task_is_named_after_its_class_or_function() -> None:
    @task
    def wash() -> None:
        """Clean it."""

    assert Step().name == "Step"
    assert Step(name="mine").name == "mine"
    assert wash.name == "wash"
    assert wash.__doc__ == "Clean it."
    assert repr(wash) == "<Task: wash>"


def test_options_are_read_and_set_as_attributes() -> None:
    step = Step(max_retries=2, retry_delay=1.5, tags={"a"}, trigger=triggers.any_failed)
    assert (step.max_retries, step.retry_delay, step.tags) == (2, timedelta(seconds=1.5), {"a"})
    step.retry_delay = timedelta(minutes=1)
    step.size = 9
    assert step.retry_delay == timedelta(minutes=1)
    assert step.size == 9
    with pytest.raises(AttributeError, match="no_such"):
        step.no_such  # noqa: B018 - reading it is what raises


def test_a_copy_shares_nothing_that_can_change() -> None:
    step = Step(tags={"a"})
    other = step.copy(max_retries=1, retry_delay=0, size=4)
    assert (other.max_retries, other.size, other.tags) == (1, 4, {"a"})
    assert (step.max_retries, step.size) == (0, 3)
    with pytest.raises(AttributeError, match=r"'max_retrys'.*Did you mean max_retries"):
        step.copy(max_retrys=1)


def test_task_args_change_the_copy_that_a_call_adds() -> None:
    with Flow("args"):
        assert Step()(task_args={"name": "other", "size": 1}).name == "other"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_retries": 1}, errors.TaskError, "no retry_delay"),
        ({"retry_delay": 1}, errors.TaskError, "no max_retries"),
        ({"retry_on": ValueError}, errors.TaskError, "no max_retries"),
        ({"max_retry": 1}, TypeError, r"task 'Step' has no option 'max_retry'\. Did you mean max_retries\?"),
        ({"max_retries": -1, "retry_delay": 0}, errors.TaskError, "0 or more; found -1"),
        ({"max_retries": 1, "retry_delay": "soon"}, TypeError, "timedelta or a number of seconds; found 'soon'"),
        ({"max_retries": 1, "retry_delay": 0, "retry_on": "OSError"}, TypeError, "exception classes; found 'O'"),
        ({"tags": "abc"}, TypeError, "set of strings; found the string 'abc'"),
        ({"state_handlers": print}, TypeError, "list of functions"),
        ({"state_handlers": [5]}, TypeError, "each of state_handlers of task 'Step' must be a function; found 5"),
        ({"on_failure": "tell"}, TypeError, "on_failure must be a function; found 'tell'"),
        ({"trigger": "all_failed"}, TypeError, "trigger of task 'Step' must be a function; found 'all_failed'"),
        ({"trigger": triggers.some_failed}, TypeError, r"needs its bounds: some_failed\(at_least=1\)"),
        ({"cache_validator": "all", "cache_for": 5}, TypeError, "cache_validator of task 'Step' must be a function"),
        ({"cache_key": 5, "cache_for": 5}, TypeError, "cache_key of task 'Step' must be a text; found 5"),
        ({"target": 5}, TypeError, "target of task 'Step', if no text, must be a function; found 5"),
        ({"task_run_name": 5}, TypeError, "task_run_name of task 'Step', if no text, must be a function; found 5"),
        ({"slug": 5}, TypeError, "slug of task 'Step' must be a text; found 5"),
        ({"name": 5}, TypeError, "name of a Step must be a text; found 5"),
    ],
    ids=[
        "no delay", "no retries", "retry_on alone", "unknown", "negative", "delay", "retry_on", "tags", "handlers",
        "handler", "on_failure", "trigger", "trigger without bounds", "cache_validator", "cache_key", "target",
        "task_run_name", "slug", "name",
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Step(**options)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda *rest: rest, errors.TaskError, r"takes \*rest"),
        (lambda x, /: x, TypeError, "'x' by position only"),
        (lambda mapped: mapped, errors.TaskError, "'mapped'"),
        (dict.fromkeys, TypeError, "by position only"),
        (5, TypeError, "needs a function; found 5"),
    ],
    ids=["args", "positional", "reserved", "builtin", "value"],
)
def test_functions_that_a_flow_cannot_fill_are_refused(function: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        task(function)


def test_a_function_may_take_any_name() -> None:
    @task
    def count(**values: int) -> int:
        return len(values)

    with Flow("any") as flow:
        counted = count(a=1, b=2)
    assert flow.run().result[counted].result == 2


def test_keyword_only_inputs_are_passed_by_name() -> None:
    @task
    def scale(x: int, *, by: int = 2) -> int:
        return x * by

    with Flow("keywords") as flow:
        default, chosen = scale(3), scale(3, by=5)
        mapped = scale.map([1, 2], by=penstock.unmapped(10))
    state = flow.run()
    assert [state.result[t].result for t in (default, chosen, mapped)] == [6, 15, [10, 20]]


def test_tags_around_a_task_are_added() -> None:
    with penstock.tags("x"), penstock.tags("y"):
        assert Step(tags={"z"}).tags == {"x", "y", "z"}
    assert Step().tags == set()


def test_tags_around_a_call_are_added_to_the_copy() -> None:
    step, other = Step(tags={"a"}), Flow("other")
    with penstock.tags("out"), Flow("tagged"):
        with penstock.tags("in"):
            called, mapped, bound = step(), step.map(), Step().bind()
        after = step()
    with penstock.tags("given"):
        given = step(flow=other)
    with Flow("untagged"):
        untagged = step()
    assert called.tags == mapped.tags == {"a", "in", "out"}
    assert (bound.tags, after.tags, given.tags) == ({"in", "out"}, {"a", "out"}, {"a", "given"})
    assert untagged.tags == step.tags == {"a"}


def test_the_signature_of_a_task_is_that_of_its_call() -> None:
    @task
    def scale(x: int, by: int = 2, **more: int) -> int:
        return x * by

    assert list(inspect.signature(scale).parameters) == [
        "x",
        "by",
        "mapped",
        "task_args",
        "upstream_tasks",
        "flow",
        "more",
    ]
    assert list(inspect.signature(Step()).parameters) == ["mapped", "task_args", "upstream_tasks", "flow"]


def test_a_result_is_written_and_says_where() -> None:
    kept = MemoryResult(location="{flow_name}/{task_name}-{n}.bin")

    @task(result=kept)
    def make(n: int) -> list[int]:
        return [n]

    @task(result=kept, checkpoint=False)
    def unkept() -> int:
        return 1

    with Flow("writing") as flow:
        made, other, mapped = make(5), unkept(), make.map([6, 7])
    state = flow.run()
    location = state.result[made].location
    assert location is not None
    assert location.location == "writing/make-5.bin"
    assert kept.read(location) == [5]
    assert state.result[other].location is None
    assert [kept.read(child.location) for child in state.result[mapped].map_states] == [[6], [7]]


def test_a_result_that_cannot_be_written_fails_its_task() -> None:
    with Flow("unwritable") as flow:
        made = FunctionTask(lambda: 1, name="made", result=MemoryResult(location="{nobody}"))()
    assert (flow.run().result[made].message or "").endswith("KeyError: 'nobody'")


def test_a_result_may_be_named_and_an_unknown_name_is_refused_at_once() -> None:
    assert isinstance(task(result="memory")(lambda: 1).result, MemoryResult)
    with pytest.raises(errors.UnknownTypeError, match=r'No plugin offers a result "memroy"\. Did you mean memory'):
        task(result="memroy")(lambda: 1)


def test_checkpointing_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_FLOWS__CHECKPOINTING", "false")
    with Flow("off") as flow:
        made = FunctionTask(lambda: 1, name="made", result=MemoryResult())()
    with settings.override():
        assert flow.run().result[made].location is None


def test_a_task_among_a_constructors_arguments_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"Step\(\.\.\.\) was given a task"):
        Step(size=Step())  # type: ignore[arg-type]
    assert "size" in inspect.signature(Step).parameters


def test_an_attribute_that_hides_an_option_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="Hiding has an attribute 'max_retries'"):

        class Hiding(Task):
            max_retries = 3

    class Early(Task):
        def __init__(self) -> None:
            self.tags = {"lost"}
            super().__init__(name="early")

    with pytest.warns(UserWarning, match="Early sets 'tags' before Task.__init__"):
        early = Early()
    assert (early.name, early.tags) == ("early", set())


def test_a_task_has_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    class Greet(Task):
        def run(self, name: str) -> None:
            self.logger.info("Hello, %s", name)

    with Flow("greeting") as flow:
        Greet(name="greet")("Ada")
    with caplog.at_level("INFO", "penstock.task.greet"):
        assert flow.run().is_successful()
    assert [one.name for one in caplog.records if "Hello, Ada" in str(one.msg)] == ["penstock.task.greet"]


def test_a_class_that_is_no_task_yet_says_what_it_lacks() -> None:
    class Early(Task):
        def __init__(self, size: int) -> None:
            self.size = size

        def run(self) -> int:
            return self.size

    class Idle(Task):
        pass

    with Flow("early"):
        with pytest.raises(AttributeError, match=r"its __init__ has to call super\(\).__init__\(\)"):
            Early(3)()
        with pytest.warns(UserWarning, match="not added"), Flow("idle"):  # noqa: SIM117 - the warning is of the flow
            with pytest.raises(NotImplementedError, match="Idle has no run method; define one"):
                Idle()()


def test_a_task_comes_back_from_pickle_as_it_was() -> None:
    step = pickle.loads(cloudpickle.dumps(Step(size=4, name="mine", tags={"a"})))
    assert (step.name, step.tags, step.size) == ("mine", {"a"}, 4)


def test_a_task_of_a_function_holds_its_options_only_and_its_function_can_be_called() -> None:
    @task
    def double(x: int) -> int:
        return 2 * x

    assert double.run(4) == double.fn(4) == 8
    with pytest.raises(AttributeError, match="note"):
        double.note = "mine"
    step = Step()
    step.note = "mine"
    assert step.copy().note == "mine"
