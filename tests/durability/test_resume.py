"""A restarted run uses what had succeeded, and the judge of that finds faults."""

from tests.durability.resume import judged


def test_what_had_succeeded_is_not_run_again() -> None:
    assert list(judged(6, [[0, 3, 6]])) == [None]


def test_an_attempt_that_knows_nothing_of_the_one_before_is_found_out() -> None:
    assert list(judged(4, [[2]], fault="forgetful")) == ["tasks ran again: 0, 1"]
