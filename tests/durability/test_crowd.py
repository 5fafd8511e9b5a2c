"""Many processes on one SQLite file are in nobody's way, and the judge of that finds faults."""

from tests.durability.crowd import Wanted, judged


def test_a_crowd_on_one_file_is_never_told_that_it_is_locked() -> None:
    verdict = judged(Wanted(writers=6, agents=2, readers=1, seconds=3))
    assert verdict.faults == [], verdict.text()
    assert verdict.part.ended, verdict.text()


def test_writers_that_do_not_take_turns_are_found_out() -> None:
    verdict = judged(Wanted(writers=6, agents=0, readers=0, seconds=3, fault="no-lock"))
    assert verdict.faults, verdict.text()  # calls that failed, or processes that ended before their first
