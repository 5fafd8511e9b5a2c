"""What helps to write a task's body, and what a body may not be."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from penstock import FilterTask, Flow, Task, clock, context, defaults_from_attrs, errors, pause_task, signals, task
from penstock.states import Paused


class Template(Task):
    def __init__(self, a: Any = None, b: Any = None, **options: Any) -> None:
        self.a, self.b = a, b
        super().__init__(**options)

    @defaults_from_attrs("a", "b")
    def run(self, a: Any = None, b: Any = None, c: int = 0) -> Any:
        return a, b, c


def test_inputs_left_out_come_from_attributes() -> None:
    template = Template(a=1, b=2)
    assert template.run() == (1, 2, 0)
    assert template.run(a=9) == (9, 2, 0)
    assert template.run(None, b=None) == (None, None, 0)
    with Flow("template") as flow:
        by_position, by_name = template(7), template(b=8, c=3)
    state = flow.run()
    assert [state.result[one].result for one in (by_position, by_name)] == [(7, 2, 0), (1, 8, 3)]


def test_a_default_must_name_an_input() -> None:
    with pytest.raises(errors.TaskError, match=r"no input 'siz'. Did you mean size\?"):

        @defaults_from_attrs("siz")
        def run(self: Any, size: int = 0) -> int:
            return size


def test_a_task_pauses_itself_until_it_is_resumed() -> None:
    with pytest.raises(signals.PAUSE, match="look first") as caught:
        pause_task("look first", duration=timedelta(hours=1))
    until = caught.value.state.start_time  # type: ignore[attr-defined]
    assert timedelta(minutes=59) < until - clock.now() <= timedelta(hours=1)
    with context(resume=True):
        pause_task()

    @task
    def careful() -> None:
        pause_task()

    with Flow("pausing") as flow:
        paused = careful()
    state = flow.run().result[paused]
    assert isinstance(state, Paused)
    assert state.start_time is None


def test_inputs_and_output_are_described_as_run_declares_them() -> None:
    @task
    def scale(x: int, by: float = 2.0, *, label=None) -> list[float]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return [x * by, label]

    assert scale.inputs() == {
        "x": {"type": int, "default": None, "required": True},
        "by": {"type": float, "default": 2.0, "required": False},
        "label": {"type": Any, "default": None, "required": False},
    }
    assert scale.outputs() == list[float]
    assert task(lambda: 1).outputs() is Any


def test_a_filter_keeps_values_and_drops_none_and_exceptions() -> None:
    @task
    def halve(x: int) -> float:
        return 1 / x

    @task
    def odd(x: int) -> int | None:
        return x if x % 2 else None

    with Flow("filter") as flow:
        values = FilterTask()(halve.map([0, 1, 2]))
        odds = FilterTask()(odd.map([1, 2, 3]))
        large = FilterTask(filter_func=lambda x: x > 1)(odd.map([1, 3]))
    state = flow.run()
    assert [state.result[one].result for one in (values, odds, large)] == [[1.0, 0.5], [1, 3], [3]]


def test_a_filter_says_what_it_kept_where_it_is_asked_to() -> None:
    said: list[str] = []
    keep = FilterTask(log_func=lambda kept: f"kept {kept}")
    with context(logger=SimpleNamespace(info=said.append)):
        assert keep.run([1, None, 2]) == [1, 2]
    assert keep.run([3]) == [3]
    assert said == ["kept [1, 2]"]


def numbers() -> Iterator[int]:
    yield 1


async def later() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [numbers, later], ids=["generator", "async generator"])
def test_a_generator_is_no_task(function: Any) -> None:
    with pytest.raises(errors.TaskError, match=r"yields its values.*return the list"):
        task(function)


def test_a_run_that_yields_is_refused_when_the_task_is_called() -> None:
    class Numbers(Task):
        def run(self) -> Iterator[int]:
            yield 1

    with pytest.raises(errors.TaskError, match="task 'Numbers' yields"), Flow("generator"):
        Numbers()()


def test_a_task_that_returns_a_task_fails() -> None:
    @task
    def inner() -> int:
        return 1

    @task
    def outer() -> Any:
        return inner

    with Flow("mistaken") as flow:
        ended = outer()
    state = flow.run().result[ended]
    assert isinstance(state.result, errors.TaskError)
    assert "call its function: inner.run(...)" in str(state.message)
