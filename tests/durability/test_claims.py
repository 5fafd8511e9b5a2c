"""Agents that are killed and paused leave each run ended once, and the judge of that finds faults."""

import pytest

from tests.durability.claims import Wanted, judged


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_runs_end_once_though_agents_are_killed_and_paused(database: str) -> None:
    verdict = judged(Wanted(database, runs=120, workers=3, kills=3, pauses=0.1))
    assert verdict.faults == [], verdict.text()
    assert sum(verdict.counts[state] for state in ("Success", "Failed")) == 120
    assert (verdict.kills, verdict.pauses > 0) == (3, True)


def test_claims_that_lock_nothing_are_found_out() -> None:
    verdict = judged(Wanted(runs=120, workers=4, kills=0, pauses=0, fault="no-lock"))
    assert any("twice" in fault or "gaps" in fault for fault in verdict.faults), verdict.text()


def test_reports_whose_fence_nobody_looks_at_are_found_out() -> None:
    verdict = judged(Wanted(runs=120, workers=3, kills=0, pauses=0.1, fault="no-fence"))
    assert verdict.faults, verdict.text()
