from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import errors, states
from penstock_backend.transitions import DUE, ENDED, FOLLOWERS, UNDER_WAY, WAITING, Course

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_USABLE = {name: kind for name, kind in states.TYPES.items() if kind is not states.State}


def test_the_table_knows_every_state_once_and_agrees_with_the_states_themselves() -> None:
    assert set(FOLLOWERS) == set(_USABLE) == WAITING | UNDER_WAY | ENDED
    assert len(WAITING) + len(UNDER_WAY) + len(ENDED) == len(FOLLOWERS)
    assert {name for name, kind in _USABLE.items() if kind().is_terminal()} == ENDED
    assert DUE < WAITING


@given(st.lists(st.sampled_from(sorted(FOLLOWERS)), max_size=12))
def test_a_history_is_gap_free_and_goes_nowhere_after_an_end(names: list[str]) -> None:
    course = Course("The run")
    for name in names:
        before = (course.type, course.version)
        data: dict[str, Any] = _USABLE[name]().serialize()
        try:
            changed = course.enter(data, _NOW)
        except errors.ConflictError:
            assert before[0] in ENDED
            assert name != before[0]
            assert (course.type, course.version) == before
        else:
            assert course.version == before[1] + changed
            assert not (changed and before[1] and before[0] in ENDED)
    assert [entry["state_version"] for entry in course.added] == list(range(1, course.version + 1))
    assert (course.end_time is not None) == (course.version > 0 and course.type in ENDED)


@pytest.mark.parametrize("later", sorted(WAITING | UNDER_WAY))
def test_a_run_that_is_told_to_stop_only_ends(later: str) -> None:
    course = Course("The run")
    course.enter(states.Cancelling().serialize(), _NOW)
    assert not course.enter({"type": later, "message": "later"}, _NOW)
    assert course.type == "Cancelling"
    assert course.enter(states.Success().serialize(), _NOW)
