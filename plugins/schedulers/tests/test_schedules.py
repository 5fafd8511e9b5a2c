"""When schedules are due, most of all on the days when clocks are changed."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from penstock import errors
from penstock.schedules import Schedule
from penstock_schedulers import CronSchedule, DatesSchedule, IntervalSchedule
from penstock_schedulers.local_times import instant, instants

# Half an hour, two hours, a whole day skipped, put back before midnight, southern, none, not on the hour.
ZONES = [
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia"),
    *("America/Havana", "America/St_Johns", "Africa/Casablanca", "Asia/Kathmandu", "America/Santiago", "UTC"),
]
CHANGES = {
    "Europe/Berlin": [(2026, 3, 29), (2026, 10, 25)],
    "America/New_York": [(2026, 3, 8), (2026, 11, 1)],
    "Australia/Lord_Howe": [(2026, 4, 5), (2026, 10, 4)],
    "Antarctica/Troll": [(2026, 3, 29), (2026, 10, 25)],
    "Pacific/Apia": [(2011, 12, 30), (2012, 4, 1)],
    "America/Havana": [(2026, 3, 8), (2026, 11, 1)],
    "America/St_Johns": [(2010, 3, 14), (2010, 11, 7)],
}


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year to minute


def walls(times: list[datetime], zone: str) -> list[str]:
    return [f"{time.astimezone(ZoneInfo(zone)):%m-%d %H:%M}" for time in times]


@dataclass(frozen=True)
class Field:
    """A field of a cron expression beside the numbers it stands for."""

    text: str
    numbers: frozenset[int]


ANY = Field("*", frozenset(range(32)))


def at(number: int) -> Field:
    return Field(str(number), frozenset([number]))


def fields(low: int, high: int) -> st.SearchStrategy[Field]:
    everything = range(low, high + 1)
    some = st.sets(st.sampled_from(everything), min_size=1, max_size=4)
    listed = some.map(lambda numbers: Field(",".join(map(str, sorted(numbers))), frozenset(numbers)))
    stepped = st.integers(2, max(2, (high - low) // 2)).map(lambda n: Field(f"*/{n}", frozenset(everything[::n])))
    ends = st.tuples(st.sampled_from(everything), st.sampled_from(everything)).map(sorted)
    ranged = ends.map(lambda pair: Field(f"{pair[0]}-{pair[1]}", frozenset(range(pair[0], pair[1] + 1))))
    return st.one_of(st.just(Field("*", frozenset(everything))), listed, stepped, ranged)


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a moment within two days of one of its changes, or any moment."""
    zone = draw(st.sampled_from(ZONES))
    days = [datetime(*day, tzinfo=UTC) for day in CHANGES.get(zone, [(2026, 6, 1), (2026, 3, 29)])]
    seconds = draw(st.integers(-2 * 86400, 2 * 86400))
    return zone, draw(st.sampled_from(days)) + timedelta(seconds=seconds)


def due(cron: tuple[Field, ...], zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """Return when *cron* is due, by looking at every minute that any clock shows."""
    minute, hour, day, month, weekday = cron

    def matches(wall: datetime) -> bool:
        on_day, on_weekday = wall.day in day.numbers, (wall.isoweekday() % 7) in weekday.numbers
        starred = day.text.startswith("*") or weekday.text.startswith("*")
        days = (on_day and on_weekday) if starred else (on_day or on_weekday)
        return wall.minute in minute.numbers and wall.hour in hour.numbers and wall.month in month.numbers and days

    really = minute.text.startswith("*") or hour.text.startswith("*")

    def shown(wall: datetime) -> list[datetime]:
        return instants(wall, zone) if really else [instant(wall, zone)]

    wall = (after - timedelta(days=2)).astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    end = (until + timedelta(days=2)).astimezone(zone).replace(tzinfo=None)
    found: set[datetime] = set()
    while wall < end:
        if matches(wall):
            found.update(time for time in shown(wall) if after < time <= until)
        wall += timedelta(minutes=1)
    return sorted(found)


def comes(day: Field, month: Field, weekday: Field) -> bool:
    """Return whether there is such a day in any year; an expression without one is refused."""
    longest = max(monthrange(2024, number)[1] for number in month.numbers if 1 <= number <= 12)
    return not weekday.text.startswith("*") or min(day.numbers) <= longest


@settings(max_examples=200, deadline=None)
@given(st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6)), moments())
@example((at(30), at(2), ANY, ANY, ANY), ("Europe/Berlin", utc(2026, 3, 28)))
@example((Field("*/5", frozenset(range(0, 60, 5))), at(1), ANY, ANY, ANY), ("Australia/Lord_Howe", utc(2026, 4, 4, 14)))
@example((at(0), at(0), ANY, ANY, ANY), ("America/Havana", utc(2026, 10, 31)))
@example((at(0), at(0), at(29), at(2), ANY), ("UTC", utc(2028, 2, 28)))
def test_cron_is_due_exactly_when_clocks_show_it(cron: tuple[Field, ...], moment: tuple[str, datetime]) -> None:
    assume(comes(*cron[2:]))
    zone, after = moment
    until = after + timedelta(days=2)
    schedule = CronSchedule(" ".join(field.text for field in cron), timezone=zone, end_date=until)
    expected = due(cron, ZoneInfo(zone), after, until)
    assert schedule.next(5000, after) == expected
    for time in expected[:20]:
        assert schedule.next(1, time - timedelta(seconds=1)) == [time]


@settings(deadline=None)
@given(st.integers(0, 1439), st.sampled_from(sorted(set(CHANGES) - {"Pacific/Apia"})))
def test_a_daily_cron_is_due_once_on_every_local_day(minute_of_day: int, zone: str) -> None:
    hour, minute = divmod(minute_of_day, 60)
    first = datetime(*CHANGES[zone][0], tzinfo=ZoneInfo(zone)) - timedelta(days=3)
    times = CronSchedule(f"{minute} {hour} * * *", timezone=zone).next(400, first)
    days = [time.astimezone(ZoneInfo(zone)).date() for time in times]
    assert days == [days[0] + timedelta(days=number) for number in range(400)]


@settings(deadline=None)
@given(moments())
def test_a_wall_time_stands_for_when_it_is_shown_or_for_the_end_of_the_gap(moment: tuple[str, datetime]) -> None:
    zone, wall = ZoneInfo(moment[0]), moment[1].replace(tzinfo=None, second=0)
    around = [wall.replace(tzinfo=UTC) + timedelta(minutes=minute) for minute in range(-1800, 1800)]
    shown = [time for time in around if time.astimezone(zone).replace(tzinfo=None) == wall]
    later = next(time for time in around if time.astimezone(zone).replace(tzinfo=None) > wall)
    assert instants(wall, zone) == shown
    assert instant(wall, zone) == (shown[0] if shown else later)


@settings(deadline=None)
@given(moments(), st.integers(1, 10), st.integers(0, 86399), st.integers(-30, 3))
def test_days_keep_the_hour_on_the_wall(moment: tuple[str, datetime], days: int, second: int, earlier: int) -> None:
    zone, after = moment
    start = (after + timedelta(days=earlier)).astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
    start = start.replace(hour=0, minute=0, second=0) + timedelta(seconds=second)
    assume(instants(start, ZoneInfo(zone)))
    schedule = IntervalSchedule(start, timedelta(days=days), timezone=zone)
    every = [instant(start + number * timedelta(days=days), ZoneInfo(zone)) for number in range(60)]
    assert schedule.next(10, after) == [time for time in dict.fromkeys(every) if time > after][:10]


@given(moments(), st.integers(1, 10**6), st.integers(-(10**7), 10**6))
def test_hours_are_time_that_really_passes(moment: tuple[str, datetime], seconds: int, earlier: int) -> None:
    zone, after = moment
    start = (after + timedelta(seconds=earlier)).astimezone(ZoneInfo(zone))
    step = timedelta(seconds=seconds if seconds % 86400 else 1)
    times = IntervalSchedule(start, step).next(5, after)
    first = start.astimezone(UTC)
    assert all((time - first) % step == timedelta(0) for time in times)
    assert times[0] == first or first <= times[0] - step <= after
    assert [later - time for time, later in pairwise(times)] == [step] * 4


def test_a_start_that_the_gap_skips_is_right_after_it() -> None:
    start = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 - in the schedule's zone
    for step in (timedelta(days=1), timedelta(hours=1)):
        schedule = IntervalSchedule(start, step, timezone="Europe/Berlin")
        assert schedule.next(1, utc(2026, 3, 1)) == [utc(2026, 3, 29, 1)]


def test_start_and_end_in_a_fold_are_in_order() -> None:
    first, second = (datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin")) for fold in (0, 1))
    assert len(CronSchedule("*/30 * * * *", first, second).next(9, utc(2026, 1, 1))) == 3
    with pytest.raises(errors.SettingsError, match="before its start_date"):
        CronSchedule("@daily", second, first)


def test_what_the_gap_skips_is_due_right_after_it() -> None:
    schedule = CronSchedule("15,45 2 * * *", timezone="Europe/Berlin")
    times = schedule.next(4, utc(2026, 3, 28, 12))
    assert walls(times, "Europe/Berlin") == ["03-29 03:00", "03-30 02:15", "03-30 02:45", "03-31 02:15"]


def test_what_the_fold_repeats_is_due_the_first_time() -> None:
    times = CronSchedule("30 2 * * *", timezone="Europe/Berlin").next(2, utc(2026, 10, 24, 12))
    assert times == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]


def test_every_hour_is_due_every_hour() -> None:
    for day in (utc(2026, 3, 28, 22), utc(2026, 10, 24, 22)):
        times = CronSchedule("0 * * * *", timezone="Europe/Berlin").next(6, day)
        assert times == [day + timedelta(hours=number) for number in range(1, 7)]


def test_a_daily_interval_keeps_its_hour_and_an_hourly_one_does_not() -> None:
    start = datetime(2026, 3, 27, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    daily = IntervalSchedule(start, timedelta(days=1)).next(4, utc(2026, 3, 27))
    by_hours = IntervalSchedule(start, timedelta(hours=36)).next(3, utc(2026, 3, 27))
    assert walls(daily, "Europe/Berlin") == ["03-27 09:00", "03-28 09:00", "03-29 09:00", "03-30 09:00"]
    assert walls(by_hours, "Europe/Berlin") == ["03-27 09:00", "03-28 21:00", "03-30 10:00"]


def test_start_and_end_are_inclusive() -> None:
    start, end = utc(2026, 1, 1), utc(2026, 1, 3)
    days = [utc(2026, 1, day) for day in (1, 2, 3)]
    assert IntervalSchedule(start, timedelta(days=1), end).next(9, utc(2020, 1, 1)) == days
    assert CronSchedule("@daily", start, end).next(9, utc(2020, 1, 1)) == days
    assert CronSchedule("@daily", start, end).next(9, end) == []


def test_the_zone_of_the_start_is_the_schedules_and_travels() -> None:
    start = datetime(2026, 1, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    for schedule in (CronSchedule("0 9 * * *", start), IntervalSchedule(start, timedelta(days=1))):
        assert schedule.timezone == "Europe/Berlin"
        restored = Schedule.restore(schedule.spec())
        assert walls(restored.next(1, utc(2026, 7, 1)), "Europe/Berlin") == ["07-01 09:00"]


def test_dates_are_a_list() -> None:
    with pytest.raises(errors.SettingsError, match='option "dates" of schedule "dates": Input should be a valid list'):
        DatesSchedule(datetime(2026, 1, 5))  # type: ignore[arg-type]  # noqa: DTZ001 - refused for what it is


def test_dates_without_a_zone_are_in_the_schedules() -> None:
    schedule = CronSchedule("0 * * * *", datetime(2026, 1, 1), timezone="Europe/Berlin")  # noqa: DTZ001 - that is the point
    assert schedule.start_date == utc(2025, 12, 31, 23)


@pytest.mark.parametrize(
    ("alias", "second"),
    [
        *[("@yearly", utc(2028, 1, 1)), ("@annually", utc(2028, 1, 1)), ("@monthly", utc(2026, 5, 1))],
        *[("@weekly", utc(2026, 3, 29)), ("@daily", utc(2026, 3, 22)), ("@midnight", utc(2026, 3, 22))],
        *[("@hourly", utc(2026, 3, 20, 14)), ("@Daily", utc(2026, 3, 22))],
    ],
)
def test_aliases_stand_for_what_crontab_says(alias: str, second: datetime) -> None:
    assert CronSchedule(alias).next(2, utc(2026, 3, 20, 12))[1] == second


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 0 6 * * 1", "it has 6 fields; expected 5: minute hour .* Seconds have no field; use an interval schedule"),
        ("0 6 * *", "it has 4 fields; expected 5"),
        ("", "it has 0 fields"),
        ("60 * * * *", "its minute cannot be read"),
        ("* 24 * * *", "its hour cannot be read"),
        ("0 0 31 2 *", "its day-of-month cannot be read or never comes"),
        ("0 0 * * MOM", "its day-of-week cannot be read"),
        ("@reboot", "there is no such alias; expected one of @yearly"),
    ],
)
def test_an_expression_that_cannot_be_read_says_what_is_wrong(cron: str, words: str) -> None:
    with pytest.raises(errors.SettingsError, match=f'option "cron" of schedule "cron": {words}'):
        CronSchedule(cron)


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(errors.SettingsError, match=r"no such time zone; .* Did you mean Europe/Berlin\?"):
        CronSchedule("@daily", timezone="Europe/Berlim")
    for interval in (timedelta(0), timedelta(seconds=-1)):
        with pytest.raises(errors.SettingsError, match='option "interval" of schedule "interval"'):
            IntervalSchedule(interval=interval)
    with pytest.raises(errors.SettingsError, match='needs the option "interval"'):
        IntervalSchedule(utc(2026, 1, 1))
    with pytest.raises(errors.SettingsError, match='schedule "cron": its end_date is before its start_date'):
        CronSchedule("@daily", utc(2026, 1, 2), utc(2026, 1, 1))
