"""Triggers: which upstream states let a task run."""

from collections.abc import Sequence

import pytest

from penstock import Task, context, signals, triggers
from penstock.edges import Edge
from penstock.states import Cached, Cancelled, Failed, Mapped, Running, Skipped, State, Success, TriggerFailed
from penstock.triggers import Trigger, some_failed, some_successful


def along_edges(states: Sequence[State], *, mapped: bool = False) -> dict[Edge, State]:
    """Return *states* as those of as many upstream tasks."""
    downstream = Task(name="downstream")
    return {Edge(Task(name="upstream"), downstream, mapped=mapped): state for state in states}


def verdict(trigger: Trigger, states: Sequence[State], *, mapped: bool = False) -> str:
    """Return `run`, or the type of the state that the trigger's signal stands for."""
    try:
        assert trigger(along_edges(states, mapped=mapped)) is True
    except signals.PenstockSignal as signal:
        return signal.state.type
    return "run"


UPSTREAM = {
    "nothing": (),
    "success": (Success(),),
    "cached": (Cached(),),
    "failed": (Failed(),),
    "not run": (TriggerFailed(),),
    "skipped": (Skipped(), Skipped()),
    "skipped in part": (Skipped(), Success()),
    "half failed": (Success(), Failed()),
    "cancelled": (Cancelled(),),
    "running": (Running(),),
    "empty map": (Mapped(map_states=[]),),
    "map half failed": (Mapped(map_states=[Success(), Failed()]),),
    "map skipped": (Mapped(map_states=[Skipped(), Skipped()]),),
}
RUNS: dict[str, tuple[Trigger, set[str]]] = {
    "all_successful": (
        triggers.all_successful,
        {"nothing", "success", "cached", "skipped", "skipped in part", "empty map", "map skipped"},
    ),
    "all_failed": (triggers.all_failed, {"nothing", "failed", "not run", "empty map"}),
    "any_successful": (
        triggers.any_successful,
        UPSTREAM.keys() - {"failed", "not run", "cancelled", "running", "empty map"},
    ),
    "any_failed": (triggers.any_failed, {"nothing", "failed", "not run", "half failed", "map half failed"}),
    "all_finished": (triggers.all_finished, UPSTREAM.keys() - {"running"}),
    "always_run": (triggers.always_run, UPSTREAM.keys() - {"running"}),
    "not_all_skipped": (triggers.not_all_skipped, {"success", "cached", "skipped in part"}),
}


@pytest.mark.parametrize("upstream", UPSTREAM)
@pytest.mark.parametrize("name", RUNS)
def test_a_trigger_lets_run_what_it_should(name: str, upstream: str) -> None:
    trigger, runs = RUNS[name]
    skips = name == "not_all_skipped" and upstream in {"nothing", "skipped", "empty map", "map skipped"}
    expected = "run" if upstream in runs else "Skipped" if skips else "TriggerFailed"
    assert verdict(trigger, UPSTREAM[upstream]) == expected


@pytest.mark.parametrize(
    ("trigger", "runs"),
    [
        (some_failed(), {0, 1, 2, 3, 4}),
        (some_failed(at_least=2), {2, 3, 4}),
        (some_failed(at_most=2), {0, 1, 2}),
        (some_failed(at_least=0.5), {2, 3, 4}),
        (some_failed(at_least=0.6), {3, 4}),
        (some_failed(at_most=0.34), {0, 1}),
        (some_failed(at_most=0), {0}),
        (some_failed(at_least=1.0), {1, 2, 3, 4}),
        (some_failed(at_least=1, at_most=0.5), {1, 2}),
        (some_successful(at_least=3), {0, 1}),
        (some_successful(at_most=0.5), {2, 3, 4}),
    ],
    ids=[
        *("any number", "at least 2", "at most 2", "at least half", "at least 0.6", "at most 0.34", "at most none"),
        *("a fraction is below 1", "both bounds", "at least 3 successes", "at most half successes"),
    ],
)
def test_counting_triggers_take_numbers_and_fractions(trigger: Trigger, runs: set[int]) -> None:
    for failed in range(5):
        four = [Failed()] * failed + [Success()] * (4 - failed)
        separate = [type(state)() for state in four]
        assert verdict(trigger, separate) == ("run" if failed in runs else "TriggerFailed")
        assert verdict(trigger, [Mapped(map_states=separate)]) == ("run" if failed in runs else "TriggerFailed")


@pytest.mark.parametrize("trigger", [some_failed(at_least=1), some_successful(at_least=1)], ids=["failed", "success"])
def test_where_nothing_is_upstream_there_is_nothing_to_count(trigger: Trigger) -> None:
    assert verdict(trigger, []) == "run"
    assert verdict(trigger, [Mapped(map_states=[])]) == "TriggerFailed"


def test_a_task_that_is_waited_for_twice_counts_once() -> None:
    failed, success = Failed(), Success()
    assert verdict(some_failed(at_least=2), [failed, failed, success]) == "TriggerFailed"
    assert verdict(some_failed(at_most=0.5), [failed, failed, success]) == "run"


def test_along_a_mapped_edge_a_state_counts_as_it_is() -> None:
    assert verdict(triggers.all_successful, [Mapped(map_states=[Failed()])], mapped=True) == "run"


def test_manual_only_pauses_until_somebody_resumes() -> None:
    assert verdict(triggers.manual_only, []) == "Paused"
    with context(resume=True):
        assert verdict(triggers.manual_only, []) == "run"
