"""Agents that are killed and paused leave each run ended once, and the judge of that finds faults."""

from tests.durability.claims import Wanted, judged


def test_runs_end_once_though_agents_are_killed_and_paused() -> None:
    verdict = judged(Wanted(runs=80, workers=2, schedulers=1, kills=2, pauses=0.1, seconds=0.05))
    assert verdict.faults == [], verdict.text()
    assert verdict.counts["Success"] + verdict.counts["Failed"] == 80
    assert (verdict.kills, verdict.pauses > 0) == (2, True)


def test_claims_that_lock_nothing_are_found_out() -> None:
    verdict = judged(Wanted(runs=400, workers=3, schedulers=1, kills=0, pauses=0, seconds=0, fault="no-lock"))
    assert verdict.faults, verdict.text()


def test_reports_that_are_taken_after_the_end_are_found_out() -> None:
    verdict = judged(Wanted(runs=80, workers=2, schedulers=1, kills=0, pauses=0.6, seconds=0.05, fault="no-end"))
    assert any("went on after their end" in fault for fault in verdict.faults), verdict.text()
