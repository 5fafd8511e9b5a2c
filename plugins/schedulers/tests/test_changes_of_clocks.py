"""What a schedule does with times that clocks skip and repeat, and by how much it may be late on purpose."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import errors
from penstock.schedules import Schedule, adjustments, filters
from penstock_schedulers import ClockSchedule, CronSchedule, DatesSchedule, IntervalSchedule, RRuleSchedule
from penstock_schedulers.planned import PlannedSchedule

PARIS = ZoneInfo("Europe/Paris")
SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)


def by_cron(**options: Any) -> PlannedSchedule:
    return CronSchedule("30 2 * * *", timezone="Europe/Paris", **options)


def by_interval(**options: Any) -> PlannedSchedule:
    return IntervalSchedule(datetime(2026, 1, 1, 2, 30, tzinfo=PARIS), timedelta(days=1), **options)


def by_rule(**options: Any) -> PlannedSchedule:
    return RRuleSchedule("DTSTART;TZID=Europe/Paris:20260101T023000 RRULE:FREQ=DAILY", **options)


daily = pytest.mark.parametrize("make", [by_cron, by_interval, by_rule])


def shown(schedule: Schedule, after: datetime, n: int = 2) -> list[str]:
    return [f"{one.astimezone(PARIS):%d %H:%M %Z}" for one in schedule.next(n, after)]


@daily
@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        ("after", ["29 03:00 CEST", "30 02:30 CEST"]),
        ("shift", ["29 03:30 CEST", "30 02:30 CEST"]),
        ("skip", ["30 02:30 CEST", "31 02:30 CEST"]),
    ],
)
def test_a_time_that_is_skipped_is_due_as_the_gap_says(
    make: Callable[..., Schedule], gap: str, expected: list[str]
) -> None:
    schedule = make(gap=gap)
    assert shown(schedule, SPRING) == expected
    assert shown(Schedule.restore(schedule.spec()), SPRING) == expected


@daily
@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        ("first", ["25 02:30 CEST", "26 02:30 CET"]),
        ("second", ["25 02:30 CET", "26 02:30 CET"]),
        ("both", ["25 02:30 CEST", "25 02:30 CET"]),
    ],
)
def test_a_time_that_is_repeated_is_due_as_the_fold_says(
    make: Callable[..., Schedule], fold: str, expected: list[str]
) -> None:
    schedule = make(fold=fold)
    assert shown(schedule, AUTUMN) == expected
    assert shown(Schedule.restore(schedule.spec()), AUTUMN) == expected


def test_what_is_shifted_past_the_gap_stays_in_order() -> None:
    schedule = CronSchedule("0,40 2,3 * * *", timezone="Europe/Paris", gap="shift")
    assert shown(schedule, SPRING, 3) == ["29 03:00 CEST", "29 03:40 CEST", "30 02:00 CEST"]
    between = datetime(2026, 3, 29, 1, 10, tzinfo=UTC)
    assert shown(schedule, between, 1) == ["29 03:40 CEST"]


def test_times_that_follow_each_other_by_the_clock_need_no_policy() -> None:
    policies: list[dict[str, Any]] = [{"gap": "skip"}, {"fold": "both"}]
    for policy in policies:
        assert shown(
            CronSchedule("*/30 * * * *", timezone="Europe/Paris", **policy), AUTUMN + timedelta(hours=12), 3
        ) == [
            "25 02:30 CEST",
            "25 02:00 CET",
            "25 02:30 CET",
        ]
        hours = IntervalSchedule(timedelta(hours=1), timezone="Europe/Paris", **policy)
        assert shown(hours, SPRING + timedelta(hours=12), 2) == ["29 03:00 CEST", "29 04:00 CEST"]


def test_a_policy_that_there_is_not_is_refused() -> None:
    with pytest.raises(errors.SettingsError, match=r"option \"gap\" .*'after', 'shift' or 'skip'"):
        by_cron(gap="before")
    with pytest.raises(errors.SettingsError, match='schedule "dates" has no option "fold"'):
        DatesSchedule([SPRING], fold="both")
    with pytest.raises(errors.SettingsError, match=r'option "jitter" .*greater than or equal to 0'):
        by_cron(jitter=-1)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["* * * * *", "0,1,7 * * * *", "30 2 * * *", "0 6 * * 1"]),
    st.integers(0, 7200), st.text(max_size=3), st.integers(0, 10**7),
)  # fmt: skip
def test_jitter_delays_each_time_by_as_much_whoever_asks_and_never_past_the_next(
    cron: str, seconds: int, seed: str, later: int
) -> None:
    plain, moved = CronSchedule(cron), CronSchedule(cron, jitter=seconds, jitter_seed=seed)
    after = SPRING + timedelta(seconds=later)
    named, times = plain.next(200, after - timedelta(hours=2)), moved.next(40, after)
    bases = [named[bisect_right(named, time) - 1] for time in times]
    assert all(
        timedelta(0) <= time - base < timedelta(seconds=max(seconds, 1))
        for time, base in zip(times, bases, strict=True)
    )
    first = named.index(bases[0])
    assert bases == named[first : first + 40]
    assert bases[0] <= plain.next(1, after)[0]
    for earlier, one in pairwise([after, *times]):
        assert moved.next(1, earlier) == [one]


def test_jitter_is_spread_over_all_its_room_and_another_for_each_seed() -> None:
    hours = [CronSchedule("0 * * * *", jitter=600, jitter_seed=str(number)) for number in range(200)]
    late = [(schedule.next(1, SPRING)[0].minute * 60 + schedule.next(1, SPRING)[0].second) for schedule in hours]
    assert max(late) < 600
    assert len(set(late)) > 120
    assert all(any(low <= one < low + 100 for one in late) for low in range(0, 600, 100))


def test_filters_and_adjustments_see_the_time_before_its_jitter() -> None:
    daily = CronSchedule("0 9 * * *", jitter=600, timezone="Europe/Paris")
    at_nine = ClockSchedule([daily], [filters.at_time(time(9))], adjustments=[adjustments.next_weekday])
    monday, tuesday = at_nine.next(2, SPRING - timedelta(days=1))  # and Saturday and Sunday are Monday
    assert [monday, tuesday] == daily.next(2, datetime(2026, 3, 30, tzinfo=UTC))
    assert at_nine.planned(1, SPRING)[0].jitter > timedelta(0)


def test_clocks_keep_their_own_jitter_when_they_meet() -> None:
    hourly, noon = CronSchedule("0 * * * *", jitter=300, jitter_seed="a"), CronSchedule("0 13 * * *", labels=["gpu"])
    both = ClockSchedule([hourly, noon])
    half_past = SPRING + timedelta(minutes=30)
    assert both.next(2, half_past) == [SPRING + timedelta(hours=1), *hourly.next(1, half_past)]
    assert both.most_jitter == timedelta(minutes=5)


def test_jitter_travels() -> None:
    schedule = DatesSchedule([SPRING], jitter=timedelta(minutes=5), jitter_seed="census")
    assert schedule.spec().options["jitter"] == "PT5M"
    assert Schedule.restore(schedule.spec()) == schedule


def test_how_a_time_came_about_can_be_told() -> None:
    skipped, _ = by_cron().planned(2, SPRING)
    assert [mark.words for mark in skipped.marks()] == ["02:30 is skipped, clocks go forward"]
    first, second = by_cron(fold="both").planned(2, AUTUMN)
    assert [mark.words for mark in first.marks()] == ["the first of two, clocks go back"]
    assert [mark.words for mark in second.marks()] == ["the second of two, clocks go back"]
    monday = ClockSchedule(["0 9 * * 6 Europe/Paris"], adjustments=["next_weekday"]).planned(1, AUTUMN)[0]
    assert [mark.words for mark in monday.marks()] == ["moved from Sat 2026-10-24 09:00"]
    late = CronSchedule("0 9 * * *", jitter=600).planned(1, AUTUMN)[0]
    assert [mark.kind for mark in late.marks()] == ["jitter"]
    assert late.marks()[0].words.endswith(" s of jitter after 09:00:00")
    assert IntervalSchedule(timedelta(hours=1), timezone="Europe/Paris").planned(1, SPRING)[0].marks() == []
