"""The algebra of states: equality, families, what is serialised and restored, what is pickled and read again."""

import json
import pickle
from collections.abc import Callable
from datetime import UTC
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import states
from penstock.states import Location, State

PREDICATES: dict[str, tuple[str, ...]] = {
    "is_pending": ("Pending",),
    "is_scheduled": ("Scheduled", "Queued"),
    "is_queued": ("Queued",),
    "is_submitted": ("Submitted",),
    "is_retrying": ("Retrying",),
    "is_running": ("Running",),
    "is_finished": ("Finished",),
    "is_looped": ("Looped",),
    "is_successful": ("Success",),
    "is_cached": ("Cached",),
    "is_mapped": ("Mapped",),
    "is_skipped": ("Skipped",),
    "is_failed": ("Failed",),
    "is_cancelled": ("Cancelled",),
    "is_meta_state": ("ClientFailed", "Submitted", "Queued"),
}

kinds = st.sampled_from(sorted(states.TYPES.values(), key=lambda kind: kind.__name__))
names = st.text(max_size=5)
times = st.datetimes(timezones=st.just(UTC))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False, width=16) | names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=3,
)
inner_states = st.builds(states.Running, names) | st.builds(states.Scheduled, names, start_time=times)
fields: dict[str, st.SearchStrategy[Any]] = {
    "start_time": times,
    "run_count": st.integers(1, 3),
    "loop_count": st.integers(1, 3),
    "hashed_inputs": st.none() | st.dictionaries(names, names, max_size=2),
    "cached_parameters": st.none() | st.dictionaries(names, st.integers(), max_size=2),
    "cached_result_expiration": st.none() | times,
    "n_map_states": st.none() | st.integers(0, 3),
    "state": st.none() | inner_states,
}


def some_state(results: st.SearchStrategy[Any], of: st.SearchStrategy[type[State]] = kinds) -> st.SearchStrategy[State]:
    @st.composite
    def build(draw: st.DrawFn) -> State:
        kind = draw(of)
        own = {name: draw(fields[name]) for name in kind._fields}
        state = kind(draw(st.none() | names), draw(results), **own)
        state.location = draw(st.none() | st.builds(Location, names, names, st.integers(0)))
        return state

    return build()


any_state = some_state(values)
few_states = some_state(st.sampled_from([None, 1, True, 1.0]), st.sampled_from([states.Success, states.Cached]))


@given(some_state(st.none()))
def test_what_is_serialised_is_restored(state: State) -> None:
    again = State.deserialize(json.loads(json.dumps(state.serialize())))
    assert again == state
    assert (type(again), again.message, again.location) == (type(state), state.message, state.location)


@given(any_state)
def test_no_result_is_serialised(state: State) -> None:
    assert State.deserialize(state.serialize()).result is None
    without = State.deserialize(state.serialize())
    assert without.serialize() == state.serialize()


@given(any_state)
def test_a_state_equals_itself_and_its_copy(state: State) -> None:
    again = pickle.loads(pickle.dumps(state))
    assert state == state  # noqa: PLR0124 - reflexivity
    assert again == state
    assert (again.message, again.location, again.context) == (state.message, state.location, state.context)


@given(few_states, few_states, few_states)
def test_equality_is_symmetric_and_transitive(one: State, two: State, three: State) -> None:
    assert (one == two) == (two == one)
    assert (one != two) == (not one == two)  # noqa: SIM201 - both are what is tested
    if one == two and two == three:
        assert one == three


@given(any_state, names, st.dictionaries(names, values, max_size=2))
def test_message_context_and_location_do_not_count(state: State, message: str, context: dict[str, Any]) -> None:
    other = pickle.loads(pickle.dumps(state))
    other.message, other.context, other.location = message, context, Location("elsewhere")
    assert other == state


@given(any_state, kinds)
def test_states_of_two_types_are_never_equal(state: State, kind: type[State]) -> None:
    if kind is not type(state):
        assert state != kind(state.message, state.result)


@pytest.mark.parametrize("predicate", PREDICATES)
@pytest.mark.parametrize("kind", states.TYPES.values())
def test_predicates_agree_with_the_families(kind: type[State], predicate: str) -> None:
    families = {kind.__name__, *kind.parents(names_only=True)}
    assert getattr(kind(), predicate)() == bool(families.intersection(PREDICATES[predicate]))


@given(kinds, kinds)
def test_children_and_parents_are_the_same_relation(one: type[State], two: type[State]) -> None:
    assert (two in one.children()) == (one in two.parents())
    assert one in one.children(include_self=True)
    assert one.__name__ in one.parents(include_self=True, names_only=True)


@given(kinds, names, values)
def test_the_first_two_arguments_of_every_state_are_message_and_result(
    kind: type[State], message: str, result: Any
) -> None:
    state = kind(message, result, context={"a": 1}, cached_inputs={"x": 2})
    assert (state.message, state.result, state.context["a"], state.cached_inputs) == (message, result, 1, {"x": 2})
    assert kind().context == kind().cached_inputs == {}


class StubbornError(Exception):
    """Refuses to be pickled."""

    def __reduce__(self) -> str:
        raise TypeError("no")


class ForgetfulError(Exception):
    """Can be pickled, and not be restored: the usual fate of an exception with arguments of its own."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps], ids=["pickle", "cloudpickle"])
@pytest.mark.parametrize(
    ("error", "said"),
    [(StubbornError("why"), "StubbornError('why'), which cannot be pickled: TypeError('no')"),
     (ForgetfulError(1, 2), "ForgetfulError('1 2'), which cannot be restored from a pickle: TypeError(")],
    ids=["not pickled", "not restored"],
)  # fmt: skip
def test_an_exception_that_cannot_travel_becomes_a_text(
    error: Exception, said: str, dumps: Callable[[object], bytes]
) -> None:
    state = states.Failed("it failed", error)
    again = pickle.loads(dumps([state]))[0]
    assert (type(again), again.message) == (states.Failed, "it failed")
    assert again.result.startswith(said)
    assert state.result is error


def test_other_exceptions_travel_as_they_are() -> None:
    class LocalError(Exception):
        """Cannot be found by name."""

    again = pickle.loads(pickle.dumps(states.Failed("no", LocalError("why"))))
    assert (type(again.result).__name__, again.result.args) == ("LocalError", ("why",))


def test_a_value_that_cannot_travel_is_an_error() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(states.Success("done", (number for number in range(3))))
