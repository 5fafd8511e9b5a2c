"""States: what they say, how they compare, and what of them travels."""

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import signals, states
from penstock.states import Location, State

FINISHED = {"Finished", "Looped", "Success", "Cached", "Mapped", "Skipped", "Cancelled", "Failed", "TimedOut",
            "TriggerFailed", "ValidationFailed"}  # fmt: skip
SUCCESSFUL = {"Success", "Cached", "Mapped", "Skipped"}
FAILED = {"Failed", "TimedOut", "TriggerFailed", "ValidationFailed"}
PENDING = {"Pending", "Scheduled", "Paused", "Resume", "Retrying"}

every = st.sampled_from([known for name, known in states.TYPES.items() if name != "State"])


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


@given(every, st.text(), st.integers(), st.integers())
def test_equality_is_type_and_result_whatever_the_message(kind: type[State], message: str, one: int, two: int) -> None:
    moment: dict[str, Any] = {"start_time": datetime(2026, 1, 1, tzinfo=UTC)} if "start_time" in kind._fields else {}
    assert kind(message, one, **moment) == kind("other", one, **moment)
    assert (kind(message, one, **moment) == kind(message, two, **moment)) == (one == two)
    assert kind(message, one) != "a state"
    assert len({kind(), kind()}) == 2


times = st.datetimes(timezones=st.just(UTC))
fields: dict[str, st.SearchStrategy[Any]] = {
    "start_time": times,
    "run_count": st.integers(1, 9),
    "loop_count": st.integers(1, 9),
    "hashed_inputs": st.none() | st.dictionaries(st.text(), st.text()),
    "cached_parameters": st.none() | st.dictionaries(st.text(), st.integers()),
    "cached_result_expiration": st.none() | times,
    "n_map_states": st.integers(0, 9),
    "state": st.builds(states.Running, st.text()),
}


@st.composite
def any_state(draw: st.DrawFn) -> State:
    kind = draw(every)
    state = kind(draw(st.none() | st.text()), **{name: draw(fields[name]) for name in kind._fields})
    if draw(st.booleans()):
        state.location = Location(draw(st.text()), draw(st.text()), draw(st.integers(0)))
    return state


@given(any_state())
def test_what_is_serialised_is_restored(state: State) -> None:
    data = json.loads(json.dumps(state.serialize()))
    again = State.deserialize(data)
    assert again == state
    assert (again.message, again.location) == (state.message, state.location)
    assert again.serialize() == data


@given(any_state())
def test_states_can_be_pickled(state: State) -> None:
    again = pickle.loads(pickle.dumps(state))
    assert again == state
    assert (again.message, again.location) == (state.message, state.location)


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
    again = signals.signal_from_state(signal.state)
    assert type(again) is type(signal)
    assert again.state is signal.state
    revived = pickle.loads(pickle.dumps(getattr(signals, name)("why")))
    assert type(revived.state) is type(signal.state)
    assert revived.state.message == "why"


def test_a_signal_is_its_own_result_unless_one_is_given() -> None:
    signal = signals.FAIL("why")
    assert signal.state.result is signal
    assert signals.SKIP("why").state.result is None
    with pytest.raises(ValueError, match="Cancelled"):
        signals.signal_from_state(states.Cancelled())
