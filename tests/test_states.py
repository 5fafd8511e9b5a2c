"""States: what they say, how they compare, and what of them travels."""

import json
import pickle
from datetime import UTC, datetime

import pytest

from penstock import clock, context, signals, states
from penstock.results import MemoryResult
from penstock.states import State
from penstock.testing.clocks import VirtualClock

FINISHED = {"Finished", "Looped", "Success", "Cached", "Mapped", "Skipped", "Cancelled", "Failed", "TimedOut",
            "TriggerFailed", "ValidationFailed"}  # fmt: skip
SUCCESSFUL = {"Success", "Cached", "Mapped", "Skipped"}
FAILED = {"Failed", "TimedOut", "TriggerFailed", "ValidationFailed"}
PENDING = {"Pending", "Scheduled", "Paused", "Resume", "Retrying"}


@pytest.mark.parametrize("name", states.TYPES)
def test_predicates_follow_the_family(name: str) -> None:
    state = states.TYPES[name]("said")
    assert state.is_finished() == (name in FINISHED)
    assert state.is_terminal() == (name in FINISHED - {"Looped"})
    assert state.is_successful() == (name in SUCCESSFUL)
    assert state.is_failed() == (name in FAILED)
    assert state.is_pending() == (name in PENDING)
    assert state.is_running() == (name in {"Running", "Cancelling"})
    assert state.is_scheduled() == (name in PENDING - {"Pending"} | {"Queued"})
    assert state.is_meta_state() == (name in {"ClientFailed", "Submitted", "Queued"})
    assert repr(state) == f'<{name}: "said">'
    assert len(state.color) == 7


def test_families_can_be_listed() -> None:
    assert set(states.Failed.children(names_only=True)) == FAILED - {"Failed"}
    assert states.Cached.parents(names_only=True) == ["Success", "Finished", "State"]
    assert states.Queued.parents(names_only=True) == ["State"]


COLORS = {
    "State": "#696969", "Pending": "#7ebdff", "Scheduled": "#ffab00", "Paused": "#99a8e8", "Resume": "#f58c0c",
    "Retrying": "#f66a0a", "ClientFailed": "#eb0000", "Submitted": "#ffdf5d", "Queued": "#ffea7f", "Running": "#3d67ff",
    "Cancelling": "#e8e8e8", "Finished": "#003ccb", "Looped": "#003ccb", "Success": "#28a745", "Cached": "#34d058",
    "Mapped": "#003ccb", "Skipped": "#62757f", "Cancelled": "#bdbdbd", "Failed": "#eb0000", "TimedOut": "#ff4e33",
    "TriggerFailed": "#ff5131", "ValidationFailed": "#ff5131",
}  # fmt: skip


def test_every_type_has_its_colour() -> None:
    assert {name: known.color for name, known in states.TYPES.items()} == COLORS


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_what_is_third_in_a_constructor() -> None:
    children = [states.Success()]
    assert states.Scheduled("m", None, NOON).start_time == NOON
    retrying = states.Retrying("m", None, NOON, 4)
    assert (retrying.start_time, retrying.run_count) == (NOON, 4)
    assert states.Looped("m", None, 3).loop_count == 3
    assert states.Mapped("m", None, children).map_states is children
    queued = states.Queued("m", None, retrying, NOON)
    assert (queued.state, queued.start_time) == (retrying, NOON)


def test_times_without_a_zone_are_utc() -> None:
    naive = NOON.replace(tzinfo=None)
    assert states.Scheduled(start_time=naive).start_time == NOON
    assert states.Queued(start_time=naive).start_time == NOON
    assert states.Cached(cached_result_expiration=naive).cached_result_expiration == NOON


def test_times_that_are_not_given_are_now_or_never() -> None:
    with clock.use(VirtualClock(NOON)):
        assert states.Scheduled().start_time == states.Queued().start_time == NOON
        assert states.Retrying().start_time == states.Resume().start_time == NOON
        assert states.Paused().start_time is None
        assert states.Paused(start_time=NOON).start_time == NOON


def test_counts_that_are_not_given_are_those_of_the_task_that_runs() -> None:
    assert (states.Retrying().run_count, states.Looped().loop_count) == (1, 1)
    assert states.Scheduled().context == {}
    with context(task_run_count=7, task_loop_count=3):
        assert (states.Retrying().run_count, states.Looped().loop_count) == (7, 3)
        assert states.Retrying(run_count=2).run_count == 2
        assert states.Scheduled(context={"a": 1}).context == {"a": 1, "task_run_count": 7}
        assert states.Success().context == {}


def test_a_mapped_state_counts_its_children_unless_it_was_told() -> None:
    state = states.Mapped()
    assert (state.map_states, state.n_map_states) == ([], 0)
    state.map_states = [states.Success(), states.Failed()]
    assert state.n_map_states == 2
    assert states.Mapped(n_map_states=3).n_map_states == 3


def test_mapped_states_are_equal_if_their_children_are() -> None:
    def mapped(*children: State) -> State:
        return states.Mapped(map_states=children)

    assert mapped(states.Success()) == states.Mapped("other", map_states=[states.Success("m")])
    assert mapped(states.Success()) != mapped(states.Failed())
    assert states.Success(cached_inputs={"x": 1}) != states.Success()


def test_results_are_read_from_where_they_were_written() -> None:
    shelf = MemoryResult()
    first, second = (states.Success("done", result=value) for value in (5, [6]))
    for state in (first, second):
        state.location = shelf.write(state.result)
    both = states.Mapped(map_states=[State.deserialize(state.serialize()) for state in (first, second)])
    assert both.map_states[0].result is None
    assert both.load_result(shelf).result == [5, [6]]
    assert first.load_result(shelf).result == 5
    assert states.Success().load_result(shelf).result is None


def test_a_value_is_never_serialised() -> None:
    assert "secret" not in json.dumps(states.Success("fine", "secret").serialize())


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match="no state of type 'Hovering'"):
        State.deserialize({"type": "Hovering"})


def test_wrappers_hold_the_innermost_state() -> None:
    inner = states.Running()
    assert states.Submitted(state=states.Queued(state=inner)).state is inner


@pytest.mark.parametrize("name", ["FAIL", "TRIGGERFAIL", "VALIDATIONFAIL", "SUCCESS", "RETRY", "SKIP", "PAUSE", "LOOP"])
def test_signals_carry_their_state_past_except_exception(name: str) -> None:
    signal = getattr(signals, name)("why", result=5)
    assert not isinstance(signal, Exception)
    assert (signal.state.message, signal.state.result) == ("why", 5)
    assert signals.signal_from_state(signal.state) is type(signal)
    revived = pickle.loads(pickle.dumps(getattr(signals, name)("why")))
    assert type(revived.state) is type(signal.state)
    assert revived.state.message == "why"


def test_a_signal_is_its_own_result_unless_one_is_given() -> None:
    signal = signals.FAIL("why")
    assert signal.state.result is signal
    assert signals.SKIP("why").state.result is None
    assert signals.LOOP("why").state.result == "LOOP('why')"
    with pytest.raises(ValueError, match="Cancelled"):
        signals.signal_from_state(states.Cancelled())


def test_a_state_does_not_repeat_the_tags_of_its_task() -> None:
    with context(task_tags={"a"}):
        assert states.Success().context == {}


def test_the_signal_of_a_state() -> None:
    assert signals.signal_from_state(states.TriggerFailed()) is signals.TRIGGERFAIL
    with pytest.raises(signals.FAIL, match="again"):
        raise signals.signal_from_state(states.Failed())("again")


def test_parameters_of_any_type_have_a_form_in_json() -> None:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    cached = states.Cached(cached_parameters={"day": moment.date(), "at": [moment, {1: None}], "n": 3})
    assert json.loads(json.dumps(cached.serialize()))["cached_parameters"] == {
        "day": "2026-11-22",
        "at": ["2026-11-22T00:00:00+00:00", {"1": None}],
        "n": 3,
    }
