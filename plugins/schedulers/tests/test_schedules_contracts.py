"""The kernel's contract, held by this plugin's schedules."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule

from penstock.schedules import Schedule, adjustments, filters
from penstock.testing.schedules import ScheduleContract
from penstock_schedulers import ClockSchedule, CronSchedule, DatesSchedule, IntervalSchedule, RRuleSchedule

BERLIN = ZoneInfo("Europe/Berlin")


class TestHourlyInterval(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule(datetime(2026, 3, 1, 9, tzinfo=BERLIN), timedelta(hours=1))


class TestDailyInterval(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule(datetime(2026, 3, 1, 2, 30, tzinfo=BERLIN), timedelta(days=1))


class TestIntervalWithoutStart(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule(interval=timedelta(seconds=7.25))


class TestIntervalThatBeginsLater(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule(datetime(2027, 1, 1, tzinfo=UTC), timedelta(days=7), datetime(2040, 1, 1, tzinfo=UTC))


class TestDailyCron(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("30 2 * * *", timezone="Europe/Berlin")


class TestCronOfAnotherPolicy(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("*/20 2 * * *", timezone="Europe/Berlin", gap="shift", fold="both")


class TestCronWithJitter(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule(
            "0,1,30 * * * *", jitter=600, jitter_seed="census", start_date=datetime(2026, 3, 1, tzinfo=UTC)
        )


class TestIntervalWithMoreJitterThanRoom(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule(interval=timedelta(seconds=10), jitter=timedelta(hours=1))


class TestCronByTheMinute(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("*/7 * * * *", datetime(2020, 1, 1, tzinfo=BERLIN))


class TestRareCron(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("0 0 29 2 *")


class TestAlias(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("@hourly", timezone="Australia/Lord_Howe")


class TestCronOnBothDays(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("0 2 8-14 * 2", timezone="America/New_York", day_or=False)


class TestDates(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        days = [datetime(2026, 3, 1, 2, 30, tzinfo=BERLIN) + timedelta(days=number) for number in range(500)]
        return DatesSchedule(days[::-1], {"limit": 5}, ["gpu"])


class TestWeeklyRule(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        start = datetime(2026, 1, 1, 2, 30, tzinfo=BERLIN)
        return RRuleSchedule(rrule.rrule(rrule.WEEKLY, dtstart=start, byweekday=(rrule.SU, rrule.WE)))


class TestRuleByTheMinute(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return RRuleSchedule("DTSTART:20200101T000000 RRULE:FREQ=MINUTELY;INTERVAL=7", timezone="Australia/Lord_Howe")


class TestSetOfRules(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        start = datetime(2026, 1, 1, 2, 30)  # noqa: DTZ001 - in the schedule's zone
        rules = rrule.rruleset()
        rules.rrule(rrule.rrule(rrule.DAILY, dtstart=start))
        rules.exrule(rrule.rrule(rrule.DAILY, dtstart=start, byweekday=rrule.MO))
        rules.rdate(datetime(2026, 3, 30, 7))  # noqa: DTZ001 - in the schedule's zone
        rules.exdate(datetime(2026, 4, 1, 2, 30))  # noqa: DTZ001 - in the schedule's zone
        return RRuleSchedule(rules, timezone="Europe/Berlin")


class TestClocks(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        hourly = IntervalSchedule(timedelta(hours=1), datetime(2026, 3, 1, 9, tzinfo=BERLIN), labels=["gpu"])
        return ClockSchedule([hourly, CronSchedule("*/15 3 * * *", parameter_defaults={"limit": 5})])


class TestFilteredAndAdjustedClocks(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        daily = CronSchedule("30 2 * * *", timezone="Europe/Berlin")
        return ClockSchedule(
            [daily, IntervalSchedule(timedelta(hours=6))],
            filters=[filters.between_times(time(22), time(12))],
            or_filters=[filters.is_weekend, filters.is_day_of_week(2), filters.is_month_end],
            not_filters=[filters.on_date(12, 24), filters.between_dates(12, 31, 1, 1)],
            adjustments=[adjustments.next_weekday, adjustments.add(timedelta(days=-40))],
        )


class TestClocksOfClocks(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> Schedule:
        weekdays = ClockSchedule([CronSchedule("0 6 * * *", timezone="Asia/Kathmandu")], filters=["is_weekday"])
        return ClockSchedule([weekdays, CronSchedule("@daily")], adjustments=[{"name": "next_weekday"}])
