"""What a flow run comes to, and who has a say in it."""

from typing import Any

import pytest

from penstock import Flow, signals, task
from penstock.states import Failed, Mapped, State, Success


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


@pytest.fixture
def said() -> list[tuple[str, ...]]:
    """What the handlers of `flow` have seen."""
    return []


def flow_with(handler: Any, said: list[tuple[str, ...]]) -> Flow:
    """Return a flow whose mapped reference task has a failed child, and whose handlers write down what they see."""

    def tell(flow: Flow, old: State, new: State) -> None:
        said.append(("state", old.type, new.type))

    with Flow(
        "handled",
        state_handlers=[tell],
        on_failure=lambda flow, state: said.append(("failed", state.type)),
        terminal_state_handler=handler,
    ) as flow:
        check.map([1, -2])
    return flow


def test_the_terminal_state_handler_has_the_last_word_before_the_others(said: list[tuple[str, ...]]) -> None:
    def settle(flow: Flow, state: State, reference: set[State]) -> State:
        said.append(("terminal", flow.name, state.type, *sorted(one.type for one in reference)))
        return Success("good enough")

    flow = flow_with(settle, said)
    state = flow.run()
    assert (state.type, state.message) == ("Success", "good enough")
    assert set(state.result) == flow.tasks
    assert said == [
        ("state", "Pending", "Running"),
        ("terminal", "handled", "Failed", "Failed", "Success"),
        ("state", "Running", "Success"),
    ]


def test_a_terminal_state_handler_may_agree(said: list[tuple[str, ...]]) -> None:
    state = flow_with(lambda flow, state, reference: None, said).run()
    assert (state.type, state.message) == ("Failed", "Some reference tasks failed.")
    assert said[-2:] == [("state", "Running", "Failed"), ("failed", "Failed")]


def test_a_terminal_state_handler_may_raise_a_signal(said: list[tuple[str, ...]]) -> None:
    def settle(flow: Flow, state: State, reference: set[State]) -> State:
        raise signals.ENDRUN(Failed("stopped here"))

    assert flow_with(settle, said).run().message == "stopped here"


@pytest.mark.parametrize(
    ("answer", "message"),
    [(lambda: 1 / 0, "could not be run: ZeroDivisionError"), (lambda: 5, "could not be run: AttributeError")],
    ids=["raises", "no state"],
)
def test_a_terminal_state_handler_that_breaks_fails_the_run(
    answer: Any, message: str, said: list[tuple[str, ...]]
) -> None:
    state = flow_with(lambda flow, state, reference: answer(), said).run()
    assert state.type == "Failed"
    assert f"The terminal state handler of flow handled {message}" in str(state.message)
    assert said[-1] == ("failed", "Failed")
