"""Crons in every zone there is, beside what is seen by looking at every minute."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.schedules import CronSchedule
from tests.schedules import judging, oracle

ZONES = sorted(available_timezones())
DAYS = (oracle.END - oracle.BEGIN).days

changes = cache(oracle.changes)


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and the beginning of four days of which the third holds a change, if there is one, or of any."""
    zone = draw(st.sampled_from(ZONES))
    day = oracle.BEGIN + timedelta(days=draw(st.integers(3, DAYS - 3)))
    near = draw(st.booleans()) and [one for one in changes(ZoneInfo(zone)) if one >= day]
    return zone, (near[0] if near else day) - judging.AROUND


@settings(deadline=None, max_examples=60)
@given(windows(), st.sampled_from(judging.POLICIES))
@example(("Europe/Paris", datetime(2026, 3, 27, tzinfo=UTC)), ("shift", "both"))
@example(("Australia/Lord_Howe", datetime(2026, 4, 2, tzinfo=UTC)), ("skip", "second"))
def test_crons_are_due_when_the_minutes_say(window: tuple[str, datetime], policy: tuple[str, str]) -> None:
    zone, begin = window
    assert list(judging.faults(zone, oracle.CRONS, begin, begin + 2 * judging.AROUND, policy)) == []


@pytest.mark.parametrize("planted", [{"gap": "skip"}, {"gap": "shift"}, {"fold": "second"}, {"fold": "both"}])
def test_a_schedule_with_another_policy_is_found_out(planted: dict[str, Any]) -> None:
    def make(cron: str, **options: Any) -> CronSchedule:
        return CronSchedule(cron, **{**options, **planted})

    found = [
        fault
        for day in changes(ZoneInfo("Europe/Paris"))[:2]
        for fault in judging.faults("Europe/Paris", oracle.CRONS, day - judging.AROUND, day + judging.AROUND, make=make)
    ]
    assert any("'30 2 * * *' in Europe/Paris" in fault for fault in found)


def test_a_schedule_of_another_zone_is_found_out() -> None:
    day = changes(ZoneInfo("Europe/Paris"))[0]

    def make(cron: str, **options: Any) -> CronSchedule:
        return CronSchedule(cron, **{**options, "timezone": "Africa/Lagos"})

    found = judging.faults("Europe/Paris", ["0 6 * * 1-5"], day - judging.AROUND, day + judging.AROUND, make=make)
    assert "lacking, such as 2026-03-30 04:00" in next(found)
