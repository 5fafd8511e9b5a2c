"""What helps to write a task's body, and what a body may not be."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from penstock import Flow, Task, errors, task


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


def numbers() -> Iterator[int]:
    yield 1


async def later() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [numbers, later], ids=["generator", "async generator"])
def test_a_generator_is_no_task(function: Any) -> None:
    with pytest.raises(errors.TaskError, match=r"yields its values.*return that"):
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
