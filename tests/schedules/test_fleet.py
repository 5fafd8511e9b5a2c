"""Schedulers that come and go make each run once, and the judge of that finds faults."""

from pathlib import Path

from tests.schedules import fleet, planted


def test_three_schedulers_make_a_run_for_each_time_and_no_other(tmp_path: Path) -> None:
    assert fleet.faults(tmp_path, fleet.chosen(12, fleet.SEED)) == []


def test_schedulers_that_do_not_catch_up_with_all_are_found_out(tmp_path: Path) -> None:
    at_the_time_when_none_lives = ("*/20 0-4 * * *", "Etc/GMT-6", ("after", "first"))
    found = fleet.faults(tmp_path, [at_the_time_when_none_lives], "latest")
    assert found
    assert all("lacks 1 of 1 at 2026-10-25" in fault for fault in found)


def test_schedulers_that_make_runs_again_are_found_out(tmp_path: Path) -> None:
    with planted.repeating():
        found = fleet.faults(tmp_path, fleet.chosen(2, fleet.SEED))
    assert any("too many" in fault for fault in found)
