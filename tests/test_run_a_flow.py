"""What a flow run comes to, and who has a say in it."""

from typing import Any

import pytest

from penstock import Flow, task
from penstock.states import Mapped


@task
def check(number: int) -> int:
    if number < 0:
        raise ValueError("below zero")
    return number


@pytest.mark.parametrize(("numbers", "ends"), [([1, 2], "Success"), ([1, -2], "Failed"), ([], "Success")])
def test_the_children_of_a_mapped_reference_task_decide(numbers: list[int], ends: str) -> None:
    with Flow("mapped") as flow:
        checked = check.map(numbers)
    state = flow.run()
    assert state.type == ends
    assert isinstance(state.result[checked], Mapped)


def test_an_unpicklable_exception_comes_back_from_another_process_as_a_text() -> None:
    @task
    def fail() -> Any:
        class Stubborn(Exception):  # noqa: N818 - a user's own
            def __reduce__(self) -> str:
                raise TypeError("no")

        raise Stubborn("why")

    with Flow("remote") as flow:
        failed = fail()
    state = flow.run(executor={"type": "processes", "max_workers": 1}).result[failed]
    assert (state.type, state.message) == ("Failed", "Stubborn: why")
    assert "cannot be pickled" in state.result
