"""Schedules of several clocks: what is merged, filtered and adjusted, and how that travels."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import penstock
from penstock import Flow, Parameter, clock, errors, get_backend
from penstock.hooks import observing
from penstock.schedules import ClockEvent, Schedule, adjustments, filters
from penstock.testing.clocks import VirtualClock
from penstock_schedulers import ClockSchedule, CronSchedule, DatesSchedule, IntervalSchedule, Rule
from penstock_schedulers.clock_schedule import EXAMINED

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)  # a Friday, ten days before clocks are put forward in Europe
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "UTC"]


def clocks() -> st.SearchStrategy[Schedule]:
    zones = st.sampled_from(ZONES)
    crons = st.sampled_from(["30 2 * * *", "*/20 1-3 * * *", "0 0 * * 1", "15 6 1,15 * *"])
    cron = st.builds(lambda text, zone: CronSchedule(text, timezone=zone), crons, zones)
    hours = st.integers(1, 40)
    interval = st.builds(lambda n, zone: IntervalSchedule(n * HOUR, timezone=zone), hours, zones)
    offsets = st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=9)
    dates = st.builds(lambda s: DatesSchedule([NOON + timedelta(seconds=one) for one in s]), offsets)
    return st.one_of(cron, interval, dates)


moments = st.integers(-(10**7), 10**7).map(lambda seconds: NOON + timedelta(seconds=seconds))


@settings(deadline=None, max_examples=50)
@given(st.lists(clocks(), min_size=1, max_size=4), moments)
def test_clocks_are_merged_in_order_and_without_repetition(together: list[Schedule], after: datetime) -> None:
    merged = ClockSchedule(together).next(30, after)
    assert all(earlier < later for earlier, later in pairwise([after, *merged]))
    apart = {time for one in together for time in one.next(30, after)}
    assert merged == sorted(apart)[:30]


@settings(deadline=None, max_examples=50)
@given(clocks(), moments)
def test_filters_commute_and_are_what_they_say_together(one: Schedule, after: datetime) -> None:
    first, second = filters.between_dates(4, 1, 9, 30), filters.is_month_start
    both = ClockSchedule([one], [first, second]).next(5, after)
    assert both == ClockSchedule([one], [second, first]).next(5, after)
    assert both == ClockSchedule([ClockSchedule([one], [first])], [second]).next(5, after)
    assert both == ClockSchedule([one], [first], [second]).next(5, after)
    either = ClockSchedule([one], or_filters=[first, second])
    neither = ClockSchedule([one], not_filters=[first, second])
    assert ClockSchedule([either, neither]).next(20, after) == one.next(20, after)


@settings(deadline=None, max_examples=50)
@given(clocks(), moments, st.integers(-(10**6), 10**6))
def test_adding_an_interval_is_the_schedule_of_another_time(one: Schedule, after: datetime, seconds: int) -> None:
    shift = timedelta(seconds=seconds)
    moved = ClockSchedule([one], adjustments=[adjustments.add(shift)])
    assert moved.next(20, after) == [time + shift for time in one.next(20, after - shift)]


@settings(deadline=None, max_examples=50)
@given(st.lists(clocks(), min_size=1, max_size=3), moments)
def test_on_weekdays_there_is_what_was_due_then_or_on_the_weekend_before(
    together: list[Schedule], after: datetime
) -> None:
    moved = ClockSchedule(together, adjustments=[adjustments.next_weekday])
    times = moved.next(20, after)
    assert all(earlier < later for earlier, later in pairwise([after, *times]))
    for time in times:
        assert moved.next(1, time - timedelta(microseconds=1)) == [time]


def test_next_weekday_keeps_the_time_of_day_over_a_change_of_clocks() -> None:
    daily = CronSchedule("30 9 * * *", timezone="Europe/Berlin")
    moved = ClockSchedule([daily], adjustments=[adjustments.next_weekday]).next(3, NOON + 7 * DAY)
    assert [f"{time.astimezone(BERLIN):%a %H:%M}" for time in moved] == ["Mon 09:30", "Tue 09:30", "Wed 09:30"]


def test_what_was_adjusted_past_the_moment_that_is_asked_about_is_not_lost() -> None:
    saturdays = ClockSchedule([CronSchedule("0 6 * * 6")], adjustments=[adjustments.next_weekday])
    sunday = datetime(2026, 3, 22, 12, tzinfo=UTC)
    assert saturdays.next(1, sunday) == [datetime(2026, 3, 23, 6, tzinfo=UTC)]
    later = ClockSchedule([IntervalSchedule(timedelta(minutes=1))], adjustments=[adjustments.add(90 * DAY)])
    assert later.next(1, NOON) == [NOON + timedelta(minutes=1)]


def test_filters_see_the_time_of_their_clock_before_it_is_adjusted() -> None:
    evening = CronSchedule("0 23 * * *", timezone="America/New_York")  # Saturday in UTC
    kept = ClockSchedule([evening], [filters.is_weekday], adjustments=[adjustments.add(HOUR)])
    assert [f"{time:%a %H}" for time in kept.next(2, NOON)] == ["Sat 04", "Tue 04"]


def test_events_carry_what_their_clocks_give() -> None:
    schedule = ClockSchedule(
        [
            CronSchedule("0 6 * * *", parameter_defaults={"name": "Ada"}, labels=["b", "a"]),
            CronSchedule("0 6 * * *"),
            CronSchedule("0 6,18 * * *"),
        ]
    )
    six = datetime(2026, 3, 21, 6, tzinfo=UTC)
    expected = [ClockEvent(six, {"name": "Ada"}, ["a", "b"]), ClockEvent(six), ClockEvent(six + 12 * HOUR)]
    assert schedule.events(1, NOON + 6 * HOUR) == expected[:2]
    assert schedule.next(3, NOON + 6 * HOUR, return_events=True) == expected
    assert schedule.next(1, NOON + 6 * HOUR, return_events=True) == expected[:1]
    assert schedule.next(2, NOON + 6 * HOUR) == [six, six + 12 * HOUR]
    assert schedule.next(0, NOON, return_events=True) == schedule.events(-1, NOON) == []


def test_events_compare_with_datetimes_by_their_time() -> None:
    event = ClockEvent(NOON, {"limit": 5}, ["gpu"])
    assert event == NOON
    assert NOON == event  # noqa: SIM300 - the other way round is what is tested
    assert event != NOON + HOUR
    assert NOON - HOUR < event < NOON + HOUR
    assert NOON + HOUR > event > NOON - HOUR
    assert event < ClockEvent(NOON + HOUR)
    assert event != ClockEvent(NOON)
    assert event == ClockEvent(NOON, {"limit": 5}, ["gpu"])
    assert hash(event) == hash(NOON)
    assert event != "noon"


def test_the_name_of_the_kind_makes_one_with_the_classics_arguments() -> None:
    made: Any = Schedule
    schedule = made(clocks=[IntervalSchedule(HOUR), CronSchedule("@daily")], filters=[filters.is_weekday])
    assert type(schedule) is ClockSchedule
    assert schedule == made([IntervalSchedule(HOUR), CronSchedule("@daily")], [filters.is_weekday], None, None, None)
    with pytest.raises(errors.SettingsError, match='needs the option "clocks"'):
        made()
    with pytest.raises(errors.SettingsError, match=r'^option "clocks" .*: expected a list of clocks, .* found Cron.*$'):
        made(clocks=CronSchedule("@daily"))


def test_it_begins_with_its_first_clock_and_ends_with_its_last() -> None:
    begun = CronSchedule("@daily", NOON, NOON + DAY)
    assert (ClockSchedule([begun]).start_date, ClockSchedule([begun]).end_date) == (NOON, NOON + DAY)
    both = ClockSchedule([begun, CronSchedule("@daily", NOON - DAY, NOON + 9 * DAY), CronSchedule("@daily")])
    assert (both.start_date, both.end_date) == (NOON - DAY, NOON + 9 * DAY)
    assert ClockSchedule([CronSchedule("@daily")]).start_date is None
    assert ClockSchedule([]).next(1) == []


def test_after_many_times_that_did_not_pass_none_is_taken_to_follow() -> None:
    minutes = IntervalSchedule(timedelta(minutes=1))
    last = NOON + EXAMINED * timedelta(minutes=1)
    at_last = ClockSchedule([minutes], [filters.on_datetime(last)])
    assert at_last.next(1, NOON) == [last]
    assert at_last.next(1, NOON - timedelta(minutes=1)) == []


class Eclipses(Schedule):
    """Another plugin's schedule, which knows nothing of zones and parameters."""

    type: ClassVar[str] = "eclipses"

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        days = [datetime(2026, 8, 12, tzinfo=UTC), datetime(2027, 8, 2, tzinfo=UTC), datetime(2028, 1, 22, tzinfo=UTC)]
        return [day for day in days if day > (after or clock.now())][:n]


def test_another_plugins_schedule_is_a_clock_too() -> None:
    schedule = ClockSchedule([Eclipses(), DatesSchedule([NOON + 4 * DAY])])
    assert [f"{time:%y-%m-%d}" for time in schedule.next(9, NOON)] == ["26-03-24", "26-08-12", "27-08-02", "28-01-22"]
    assert len(ClockSchedule([Eclipses()], ["is_weekday"]).next(9, NOON)) == 2


@Rule
def in_months(moment: datetime, months: list[int], on: date | None = None) -> bool:
    return moment.month in months and (on is None or moment.date() == on)


def on_even_days(moment: datetime) -> bool:
    return moment.day % 2 == 0


class Acme:
    """A plugin that registers filters and an adjustment."""

    @penstock.hookimpl
    def penstock_register_schedule_filters(self) -> Mapping[str, Callable[..., Any]]:
        return {"in_months": in_months, "on_even_days": on_even_days}

    @penstock.hookimpl
    def penstock_register_schedule_adjustments(self) -> Mapping[str, str]:
        return {"same": "penstock_schedulers.adjustments:next_weekday"}


@pytest.fixture
def acme() -> Iterator[None]:
    with observing(Acme(), "acme"):
        yield


def as_json(schedule: Schedule) -> Any:
    return json.loads(schedule.spec().model_dump_json())["options"]


@pytest.mark.usefixtures("acme")
def test_penstock_register_schedule_filters() -> None:
    third_party: Any = filters
    days = [third_party.in_months([4], on=date(2026, 4, 2)), third_party.on_even_days]
    schedule = ClockSchedule([CronSchedule("@daily")], days)
    assert as_json(schedule)["filters"] == [
        {"name": "in_months", "arguments": {"months": [4], "on": "2026-04-02"}},
        {"name": "on_even_days"},
    ]
    restored = Schedule.restore(schedule.spec())
    assert restored == schedule
    assert restored.next(2, NOON) == [datetime(2026, 4, 2, tzinfo=UTC)]


@pytest.mark.usefixtures("acme")
def test_penstock_register_schedule_adjustments() -> None:
    schedule = ClockSchedule([CronSchedule("@daily")], adjustments=["same"])
    assert schedule.adjustments == [adjustments.next_weekday]
    third_party: Any = adjustments
    assert third_party.same is adjustments.next_weekday


@pytest.mark.usefixtures("acme")
def test_a_name_that_two_plugins_register_is_refused_naming_both() -> None:
    with (
        observing(Acme(), "other"),
        pytest.raises(errors.PluginError, match=r"'in_months' .*two plugins, other and acme; block"),
    ):
        ClockSchedule([CronSchedule("@daily")], ["is_weekday"])


def test_a_function_of_ones_own_serves_here_and_is_refused_where_it_would_travel() -> None:
    def is_odd(moment: datetime) -> bool:
        return moment.day % 2 == 1

    schedule = ClockSchedule(
        [CronSchedule("@daily")], [is_odd], adjustments=[lambda moment: moment + timedelta(minutes=5)]
    )
    assert schedule.next(1, NOON) == [datetime(2026, 3, 21, 0, 5, tzinfo=UTC)]
    with Flow("odd", schedule=schedule) as flow:
        Parameter("name", default="nobody")()
    with pytest.raises(errors.ScheduleError, match=r"The filter .*is_odd \(.*test_clock_schedules.py:\d+\) is regist"):
        flow.register("tutorial")
    assert get_backend().list_projects() == []
    schedule.filters = []
    with pytest.raises(errors.ScheduleError, match=r"The adjustment .*<lambda> .*penstock_register_schedule_adjust"):
        flow.serialize()
    nested = ClockSchedule([schedule])
    with pytest.raises(errors.ScheduleError, match="The adjustment"):
        nested.spec()


def test_with_a_function_of_ones_own_a_flow_runs_on_schedule() -> None:
    def late(moment: datetime) -> bool:
        return moment.hour > 13

    until = CronSchedule("0 * * * *", end_date=NOON + 3 * HOUR)
    with Flow("late", schedule=ClockSchedule([until], [late])) as flow:
        Parameter("name", default="nobody")()
    with clock.use(VirtualClock(NOON)) as virtual:
        assert flow.run(run_on_schedule=True).is_successful()
        assert virtual.now() == NOON + 3 * HOUR


def test_an_adjustment_that_moves_too_far_or_loses_the_zone_says_so() -> None:
    daily = CronSchedule("@daily")
    for wrong in (lambda moment: moment + 8 * DAY, lambda moment: moment.replace(tzinfo=None)):
        schedule = ClockSchedule([daily], adjustments=[wrong])
        with pytest.raises(errors.ScheduleError, match=r"The adjustment .*<lambda>.* made 2026.*Rule may say"):
            schedule.next(1, NOON)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param({"clocks": [3]}, 'option "clocks.0" .*expected a clock such as CronClock', id="no clock"),
        pytest.param({"clocks": 3}, 'option "clocks"', id="no list"),
        pytest.param(
            {"filters": [filters.between_times]}, r"arguments: between_times\(start, end\)", id="no arguments"
        ),
        pytest.param({"filters": ["is_wekday"]}, "Did you mean is_weekday", id="no such filter"),
        pytest.param({"adjustments": ["is_weekday"]}, "No plugin registers the adj", id="no adjustment"),
        pytest.param({"filters": [{"name": "is_day_of_week"}]}, "missing .*day_of_week", id="too few arguments"),
        pytest.param(
            {"filters": [{"name": "on_date", "arguments": {"month": 13, "day": 1}}]}, "month: .*12", id="no month"
        ),
        pytest.param({"filters": [7]}, 'option "filters.0"', id="no function"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, Any], words: str) -> None:
    options: dict[str, Any] = {"clocks": [CronSchedule("@daily")], **wrong}
    with pytest.raises(errors.SettingsError, match=words):
        ClockSchedule(**options)


def test_parameters_that_json_has_no_form_for_stay_here() -> None:
    schedule = CronSchedule("@daily", parameter_defaults={"limit": math.cos})
    assert schedule.events(1, NOON)[0].parameter_defaults == {"limit": math.cos}
    with pytest.raises(errors.ScheduleError, match=r"parameter_defaults of CronSchedule.* cannot be written as JSON"):
        ClockSchedule([schedule]).spec()


def test_a_parameter_that_every_clock_gives_needs_no_default() -> None:
    with Flow("needy", schedule=CronSchedule("@daily", parameter_defaults={"limit": 5})) as flow:
        Parameter("limit")()
    assert flow.register("tutorial")
    flow.schedule = ClockSchedule([CronSchedule("@daily", parameter_defaults={"limit": 5}), CronSchedule("@daily")])
    with pytest.raises(errors.ScheduleError, match='"needy" cannot run by its schedule, since nobody gives it limit'):
        flow.register("tutorial")
