"""What a flow run comes to, and who has a say in it."""

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

import penstock
from penstock import Flow, clock, hookimpl, hooks, signals, task
from penstock.executors import Executor
from penstock.states import Failed, Mapped, Scheduled, State, Success
from penstock.testing.clocks import VirtualClock


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
    [
        (lambda: 1 / 0, "could not be run: ZeroDivisionError"),
        (lambda: 5, "could not be run: TypeError: it returned 5, which is no state"),
    ],
    ids=["raises", "no state"],
)
def test_a_terminal_state_handler_that_breaks_fails_the_run(
    answer: Any, message: str, said: list[tuple[str, ...]]
) -> None:
    state = flow_with(lambda flow, state, reference: answer(), said).run()
    assert state.type == "Failed"
    assert f"The terminal state handler of handled {message}" in str(state.message)
    assert said[-1] == ("failed", "Failed")


@task
def surroundings() -> Any:
    return penstock.context.get("extra")


def test_a_task_that_was_not_run_is_told_from_the_copy_that_was() -> None:
    with Flow("one check") as flow:
        checked = check(1)
    states = flow.run().result
    assert states[checked].result == 1
    with pytest.raises(KeyError, match=r"<Task: check> was not run\. A call in a flow adds a copy"):
        states[check]
    assert states.get(check) is None


def test_the_context_of_a_single_task_can_be_added_to() -> None:
    with Flow("contexts") as flow:
        first, second = surroundings(), surroundings()
    state = flow.run(context={"extra": "run"}, task_contexts={first: {"extra": "task"}})
    assert [state.result[one].result for one in (first, second)] == ["task", "run"]


def test_a_date_given_to_a_run_moves_its_days() -> None:
    @task
    def days() -> list[Any]:
        return [penstock.context[name] for name in ("yesterday", "today", "tomorrow", "tomorrow_nodash")]

    with Flow("days") as flow:
        told = days()
    with clock.use(VirtualClock(datetime(2026, 11, 22, 12, tzinfo=UTC))):
        assert flow.run().result[told].result == ["2026-11-21", "2026-11-22", "2026-11-23", "20261123"]
    given = flow.run(context={"date": "2024-02-28"})
    assert given.result[told].result == ["2024-02-27", "2024-02-28", "2024-02-29", "20240229"]


def test_what_a_task_raises_comes_out_of_the_run_where_it_is_asked_to() -> None:
    with Flow("raises") as flow:
        check(-1)
    assert flow.run().is_failed()
    with penstock.context(raise_on_exception=True), pytest.raises(ValueError, match="below zero"):
        flow.run()


class OutOfReach(Executor):
    """An executor that raises *how* when it is opened, as one does whose cluster does not answer."""

    type: ClassVar[str] = "out-of-reach"
    how: ClassVar[BaseException] = OSError("nobody answers")

    @contextmanager
    def open(self) -> Iterator[futures.Executor]:
        raise self.how
        yield


@pytest.mark.parametrize(
    ("how", "ends", "message"),
    [
        (OSError("nobody answers"), "Failed", 'Flow "lost" could not be run: OSError: nobody answers'),
        (SystemExit(3), "Failed", 'Flow "lost" could not be run: SystemExit: 3'),
        (KeyboardInterrupt(), "Cancelled", "The run was interrupted."),
    ],
)
def test_a_run_that_cannot_be_gone_on_with_has_ended_for_all_who_watch(
    how: BaseException, ends: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watcher:
        @hookimpl
        def penstock_flow_run_state(self, new: State) -> None:
            watched.append((new.type, new.message))

    monkeypatch.setattr(OutOfReach, "how", how)
    said: list[str] = []
    watched: list[tuple[str, str | None]] = []
    with Flow("lost", on_failure=lambda _flow, state: said.append(state.type)) as flow:
        check(1)
    with hooks.observing(Watcher()), pytest.raises(type(how)):
        flow.run(executor=OutOfReach())
    assert watched == [("Running", "Running flow."), (ends, message)]
    assert said == ["Failed"] * (ends == "Failed")


def test_the_tasks_of_a_run_that_cannot_be_gone_on_with_have_ended_too() -> None:
    class Watcher:
        @hookimpl
        def penstock_task_run_state(self, run: Any, new: State) -> None:
            ends[run.name] = new.type

    ends: dict[str, str] = {}
    with Flow("raises") as flow:
        check.copy(name="first")(1)
        check.copy(name="last")(check.copy(name="raising")(-1))
    raising = penstock.context(raise_on_exception=True)
    with hooks.observing(Watcher()), raising, pytest.raises(ValueError, match="below zero"):
        flow.run()
    assert ends == {"first": "Success", "raising": "Cancelled", "last": "Cancelled"}


def test_a_run_that_begins_from_an_end_runs_nothing() -> None:
    with Flow("ended") as flow:
        check(-1)
    ended = Success("before")
    assert flow.run(state=ended) is ended
    assert flow.run(state=Scheduled()).is_failed()


def test_a_run_is_identified_in_its_context() -> None:
    @task
    def look() -> dict[str, Any]:
        return penstock.context.to_dict()

    with Flow("identified") as flow:
        seen = look()
    begun = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with clock.use(VirtualClock(begun)):
        told = flow.run(run_id="an id", run_name="sweet-otter").result[seen].result
    assert (told["flow_run_id"], told["flow_run_name"], told["flow_run_attempt"]) == ("an id", "sweet-otter", 1)
    assert told["scheduled_start_time"] == begun
    elsewhere = {"flow_id", "task_id", "task_run_id", "config", "caches", "checkpointing", "secrets"}
    assert elsewhere.isdisjoint(told)
