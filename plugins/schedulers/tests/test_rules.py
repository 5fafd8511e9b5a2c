"""Filters one by one, recurrence rules, and crons that ask for both days."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule, tz
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import errors
from penstock.schedules import adjustments, clocks, filters
from penstock_schedulers import CronSchedule, DatesSchedule, IntervalSchedule, RRuleSchedule
from penstock_schedulers.local_times import instant

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=BERLIN)
FRIDAY = datetime(2026, 2, 27, 9, 30, tzinfo=BERLIN)
SUNDAY = datetime(2026, 3, 1, 22, 30, tzinfo=BERLIN)
EVE = datetime(2026, 12, 31, 0, 0, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        pytest.param(filters.on_datetime(FRIDAY.astimezone(UTC)), [True, False, False], id="on_datetime"),
        pytest.param(filters.on_datetime(FRIDAY.replace(tzinfo=None)), [True, False, False], id="on_datetime, no zone"),
        pytest.param(filters.between_datetimes(FRIDAY, SUNDAY), [True, True, False], id="between_datetimes"),
        pytest.param(
            filters.between_datetimes(SUNDAY.replace(tzinfo=None), EVE), [False, True, True], id="between, no zone"
        ),
        pytest.param(filters.on_date(3, 1), [False, True, False], id="on_date"),
        pytest.param(filters.between_dates(2, 27, 3, 1), [True, True, False], id="between_dates"),
        pytest.param(filters.between_dates(12, 31, 2, 27), [True, False, True], id="over the new year"),
        pytest.param(filters.between_dates(2, 28, 2, 26), [False, True, True], id="all year but a day"),
        pytest.param(filters.at_time(time(9, 30)), [True, False, False], id="at_time"),
        pytest.param(filters.between_times(time(9, 30), time(22)), [True, False, False], id="between_times"),
        pytest.param(filters.between_times(time(22, 30), time(0)), [False, True, True], id="over midnight"),
        pytest.param(filters.is_day_of_week(6), [False, True, False], id="is_day_of_week"),
        pytest.param(filters.is_weekday, [True, False, True], id="is_weekday"),
        pytest.param(filters.is_weekend, [False, True, False], id="is_weekend"),
        pytest.param(filters.is_month_start, [False, True, False], id="is_month_start"),
        pytest.param(filters.is_month_end, [False, False, True], id="is_month_end"),
    ],
)
def test_filters_look_at_what_the_clock_shows(passes: Callable[[datetime], bool], expected: list[bool]) -> None:
    assert [passes(moment) for moment in (FRIDAY, SUNDAY, EVE)] == expected


def test_a_filter_shows_what_it_is() -> None:
    assert repr(filters.between_times(time(9), time(17))).startswith("between_times(start=datetime.time(9, 0)")
    assert filters.between_times(time(9), end=time(17)) == filters.between_times(start="09:00", end="17:00")  # type: ignore[arg-type]  # as data has it
    with pytest.raises(errors.SettingsError, match=r"is_day_of_week\(day_of_week\) does not fit: day_of_week: .* 6"):
        filters.is_day_of_week(7)
    with pytest.raises(AttributeError, match="no attribute 'is_eclipse'; there is at_time"):
        getattr(filters, "is_" + "eclipse")


def test_the_names_of_the_classic_are_there() -> None:
    assert {"at_time", "is_weekday", "on_date"} <= set(dir(filters))
    assert {"add", "next_weekday"} <= set(dir(adjustments))
    found: Any = [clocks.IntervalClock, clocks.CronClock, clocks.DatesClock, clocks.RRuleClock]
    assert found == [IntervalSchedule, CronSchedule, DatesSchedule, RRuleSchedule]


def test_without_a_zone_monday_is_found_all_the_same() -> None:
    assert adjustments.next_weekday(datetime(2026, 2, 28, 9)) == datetime(2026, 3, 2, 9)  # noqa: DTZ001 - that is the point


def test_an_interval_comes_first_or_second() -> None:
    hour = timedelta(hours=1)
    expected = IntervalSchedule(start_date=NEW_YEAR, interval=hour, end_date=EVE)
    assert IntervalSchedule(hour, NEW_YEAR, EVE) == IntervalSchedule(NEW_YEAR, hour, EVE) == expected
    assert IntervalSchedule(hour, start_date=NEW_YEAR, end_date=EVE) == expected


@settings(deadline=None, max_examples=60)
@given(
    st.sets(st.integers(1, 31), min_size=1, max_size=4), st.sets(st.integers(0, 6), min_size=1, max_size=3),
    st.integers(0, 10**8),
)  # fmt: skip
def test_a_cron_may_ask_for_both_days(days: set[int], weekdays: set[int], seconds: int) -> None:
    text = f"30 6 {','.join(map(str, days))} * {','.join(map(str, weekdays))}"
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    begin = after.date()
    coming = (
        datetime(d.year, d.month, d.day, 6, 30, tzinfo=UTC) for d in (begin + timedelta(days=n) for n in range(4000))
    )
    due = (one for one in coming if one > after and one.day in days and one.isoweekday() % 7 in weekdays)
    assert CronSchedule(text, day_or=False).next(5, after) == list(islice(due, 5))
    every_week = ",".join(map(str, range(7)))
    either = f"30 6 {','.join(map(str, days))} * {every_week}"
    assert CronSchedule(either, day_or=False).next(5, after) == CronSchedule(text.rpartition(" ")[0] + " *").next(
        5, after
    )


def test_days_that_never_meet_are_refused() -> None:
    with pytest.raises(errors.SettingsError, match=r"never|no day is ever both .* '0 0 8-14 \* 5#1'"):
        CronSchedule("0 0 8-14 * 5#1", day_or=False)
    leap = CronSchedule("0 0 29 2 1", day_or=False).next(2, datetime(2026, 1, 1, tzinfo=UTC))
    assert [one.year for one in leap] == [2044, 2072]
    assert CronSchedule("@daily", None, None, None).day_or


def test_rules_are_followed_on_the_wall() -> None:
    daily = rrule.rrule(rrule.DAILY, dtstart=datetime(2026, 3, 27, 2, 30, tzinfo=BERLIN))
    times = RRuleSchedule(daily).next(5, NEW_YEAR)
    shown = [f"{one.astimezone(BERLIN):%d %H:%M}" for one in times]
    assert shown == ["27 02:30", "28 02:30", "29 03:00", "30 02:30", "31 02:30"]
    autumn = RRuleSchedule("DTSTART;TZID=Europe/Berlin:20261024T023000 RRULE:FREQ=DAILY;COUNT=3")
    assert autumn.timezone == "Europe/Berlin"
    assert autumn.next(9, NEW_YEAR)[1] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


FREQUENCIES = [rrule.YEARLY, rrule.MONTHLY, rrule.WEEKLY, rrule.DAILY, rrule.HOURLY, rrule.MINUTELY]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(FREQUENCIES), st.integers(1, 50), st.integers(0, 10**7), st.booleans(),
    st.sampled_from([{}, {"byweekday": (rrule.MO, rrule.FR)}, {"byhour": (2, 14)}, {"bymonthday": (1, -1)}]),
)  # fmt: skip
def test_years_gone_by_make_no_difference(
    frequency: int, interval: int, seconds: int, counted: bool, more: dict[str, Any]
) -> None:
    start = datetime(2026, 1, 1, 2, 30)  # noqa: DTZ001 - in the schedule's zone
    end = {"count": 2000} if counted else {"until": start.replace(year=2029)}
    try:
        rule = rrule.rrule(frequency, dtstart=start, interval=interval, **end, **more)
    except ValueError:  # an hour that the interval never meets
        return
    try:
        schedule = RRuleSchedule(rule, timezone="Europe/Berlin")
    except errors.SettingsError:  # a day that the interval never meets
        assert next(iter(rule.replace(until=None)), None) is None
        return
    step = {rrule.HOURLY: 3600, rrule.MINUTELY: 60}.get(frequency, 10**7)  # seconds, so that few times come before
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds % (2000 * step * interval))
    walls = (wall for wall in rule.xafter(datetime(2025, 12, 31)))  # noqa: DTZ001 - likewise
    due = (one for one in dict.fromkeys(instant(wall, BERLIN) for wall in islice(walls, 5000)) if one > after)
    assert schedule.next(5, after) == list(islice(due, 5))


def test_a_set_of_rules_is_written_as_calendars_have_it() -> None:
    start = datetime(2026, 1, 1, 9, tzinfo=tz.UTC)
    rules = rrule.rruleset()
    rules.rrule(rrule.rrule(rrule.DAILY, dtstart=start, until=datetime(2026, 1, 9, 9, tzinfo=tz.UTC)))
    rules.exrule(rrule.rrule(rrule.WEEKLY, dtstart=start))
    rules.rdate(datetime(2026, 2, 1, tzinfo=timezone(timedelta(hours=1))))
    rules.exdate(start + timedelta(days=1))
    schedule = RRuleSchedule(rules)
    assert schedule.rrule_obj.splitlines() == [
        "DTSTART:20260101T090000",
        "RRULE:FREQ=DAILY;UNTIL=20260109T090000",
        "EXRULE:FREQ=WEEKLY",
        "RDATE:20260131T230000",
        "EXDATE:20260102T090000",
    ]
    assert [one.day for one in schedule.next(99, NEW_YEAR)] == [3, 4, 5, 6, 7, 9, 31]
    assert RRuleSchedule("RDATE:20260601T120000").next(2, NEW_YEAR) == [datetime(2026, 6, 1, 12, tzinfo=UTC)]


class OwnRule(rrule.rrule):  # type: ignore[misc]  # python-dateutil has no types
    """A rule that no text stands for."""


def beginning_apart() -> rrule.rruleset:
    rules = rrule.rruleset()
    rules.rrule(rrule.rrule(rrule.DAILY, dtstart=datetime(2026, 1, 1)))  # noqa: DTZ001 - it does not matter
    rules.rrule(rrule.rrule(rrule.DAILY, dtstart=datetime(2026, 1, 2)))  # noqa: DTZ001 - likewise
    return rules


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        pytest.param(3, "a int cannot be written as RFC 5545 has it", id="no rule"),
        pytest.param("x", "it cannot be read", id="no text of a rule"),
        pytest.param("RRULE:FREQ=DAILY", "it does not say when its rules begin.*DTSTART:2026", id="no start"),
        pytest.param(OwnRule(rrule.DAILY), "a OwnRule cannot be written", id="a rule of one's own"),
        pytest.param(rrule.rruleset(), "a rruleset cannot be written", id="empty"),
        pytest.param(beginning_apart(), "begin at different times.*merge several clocks", id="two starts"),
        pytest.param(
            rrule.rrule(rrule.DAILY, dtstart=datetime(2026, 1, 1, tzinfo=tz.tzoffset("here", 3600))),
            r"tzoffset.*whose name is unknown; use a zoneinfo.ZoneInfo",
            id="zone without name",
        ),
    ],
)
def test_a_rule_that_cannot_travel_is_refused_with_the_reason(rule: Any, words: str) -> None:
    with pytest.raises(errors.SettingsError, match=words):
        RRuleSchedule(rule)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL of FREQ=DAILY;INTERVAL=0 is 0; expected 1 or more"),
        ("FREQ=DAILY;INTERVAL=-1", "expected 1 or more"),
        *((f"FREQ={name};BYMONTH=2;BYMONTHDAY=30", "BYMONTHDAY=30 never comes") for name in rrule.FREQNAMES),
        ("FREQ=SECONDLY;BYHOUR=9;BYMONTHDAY=32", "never comes"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "never comes; expected .* that its INTERVAL meets"),
        ("FREQ=HOURLY;BYSETPOS=2", "never comes"),
        ("FREQ=MONTHLY;BYSETPOS=366", "never comes"),
        ("FREQ=DAILY;COUNT=0", "never comes"),
        ("FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5", "cannot be followed"),
        ("FREQ=YEARLY;BYEASTER=9999", "cannot be followed"),
    ],
)
def test_a_rule_that_never_comes_is_refused(rule: str, words: str) -> None:
    with pytest.raises(errors.SettingsError, match=words):
        RRuleSchedule(f"DTSTART:20260106T060000 RRULE:{rule}")
    with pytest.raises(errors.SettingsError, match=words):
        RRuleSchedule(f"DTSTART:20260106T060000\nRRULE:FREQ=DAILY\nEXRULE:{rule}")


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "2044-02-29 06:00"),
        ("FREQ=YEARLY;BYDAY=20MO", "2026-05-18 06:00"),
        ("FREQ=YEARLY;INTERVAL=500", "2026-01-06 06:00"),
        ("FREQ=HOURLY;INTERVAL=36;BYHOUR=18;BYDAY=MO;BYMONTHDAY=13", "2026-04-13 18:00"),
        ("FREQ=MINUTELY;BYHOUR=9;BYMINUTE=30;BYMONTH=12", "2026-12-01 09:30"),
        ("FREQ=DAILY;UNTIL=20260107T000000", "2026-01-06 06:00"),
    ],
)
def test_a_rule_that_seldom_comes_is_followed(rule: str, first: str) -> None:
    (time,) = RRuleSchedule(f"DTSTART:20260106T060000 RRULE:{rule}").next(1, datetime(2026, 1, 6, tzinfo=UTC))
    assert f"{time:%Y-%m-%d %H:%M}" == first


def test_dates_are_put_in_order_and_in_a_zone() -> None:
    first, second = datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), datetime(2026, 5, 1)  # noqa: DTZ001 - in the schedule's zone
    schedule = DatesSchedule([second, first], end_date=date(2026, 4, 30))
    assert schedule.timezone == "UTC"
    assert DatesSchedule([first, second]).next(9, NEW_YEAR) == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 4, 30, 22, tzinfo=UTC),
    ]
    with pytest.raises(errors.SettingsError, match='option "dates"'):
        DatesSchedule([])
