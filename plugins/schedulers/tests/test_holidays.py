"""Schedules that know when nobody works."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from penstock import errors
from penstock.schedules import Schedule, adjustments, filters
from penstock_schedulers import ClockSchedule, holidays

EASTER = datetime(2026, 4, 1, 12, tzinfo=UTC)  # Good Friday is the 3rd, Easter Monday the 6th
NINE = "0 9 * * * Europe/Berlin"


def days(schedule: ClockSchedule, after: datetime = EASTER, n: int = 3) -> list[str]:
    return [f"{one.astimezone(ZoneInfo('Europe/Berlin')):%m-%d %H:%M}" for one in schedule.next(n, after)]


def test_holidays_are_left_out_or_are_all_there_is() -> None:
    working = ClockSchedule([NINE], filters=[filters.is_workday("DE")])
    assert days(working) == ["04-02 09:00", "04-07 09:00", "04-08 09:00"]
    assert days(ClockSchedule([NINE], [filters.is_holiday("DE")])) == ["04-03 09:00", "04-06 09:00", "05-01 09:00"]
    weekdays = ClockSchedule([NINE], [filters.is_weekday], not_filters=[filters.is_holiday("DE")])
    assert days(weekdays) == days(working)


def test_parts_of_countries_and_markets_have_their_own() -> None:
    epiphany = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert [filters.is_holiday(place)(epiphany + timedelta(days=1)) for place in ("DE-BY", "DE", "NYSE")] == [
        True,
        False,
        False,
    ]
    assert filters.is_holiday("NYSE")(datetime(2026, 4, 3, tzinfo=UTC))  # Good Friday


def test_what_falls_on_a_holiday_is_due_on_the_next_workday_at_the_same_hour() -> None:
    moved = ClockSchedule([NINE], adjustments=[adjustments.next_workday("DE")])
    assert days(moved) == ["04-02 09:00", "04-07 09:00", "04-08 09:00"]
    friday = ClockSchedule(["0 9 * * 5 Europe/Berlin"], adjustments=[adjustments.next_workday("DE")])
    after_it_was_named = datetime(2026, 4, 5, tzinfo=UTC)
    assert days(friday, after_it_was_named, 2) == ["04-07 09:00", "04-10 09:00"]


def test_they_travel_by_name() -> None:
    schedule = ClockSchedule([NINE], [filters.is_workday("DE-BY")], adjustments=[adjustments.next_workday("DE-BY")])
    assert schedule.spec().options["filters"] == [{"name": "is_workday", "arguments": {"place": "DE-BY"}}]
    assert Schedule.restore(schedule.spec()) == schedule


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("DE-BX", "Did you mean DE-"),
        ("Germany", "Expected a country as DE"),
        ("", "Expected a country"),
        (3, "string"),
    ],
)
def test_a_place_that_nobody_knows_is_refused(place: Any, words: str) -> None:
    with pytest.raises(errors.SettingsError, match=rf"is_holiday\(place\) does not fit: place: .*{words}"):
        filters.is_holiday(place)


def test_without_the_library_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    holidays.calendar.cache_clear()
    monkeypatch.setitem(sys.modules, "holidays", None)
    data = {"name": "is_workday", "arguments": {"place": "DE"}}
    for make in (lambda: filters.is_workday("DE"), lambda: ClockSchedule([NINE], [data])):
        with pytest.raises(errors.PluginMissingError, match=r'pip install "penstock-schedulers\[holidays\]"'):
            make()
    assert days(ClockSchedule([NINE], [filters.is_weekday]))


def test_a_holiday_without_end_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holidays, "works", lambda _day, _place: False)
    with pytest.raises(errors.ScheduleError, match="Nobody works in DE for two weeks from 2026-03-19"):
        ClockSchedule([NINE], adjustments=[adjustments.next_workday("DE")]).next(1, EASTER)
