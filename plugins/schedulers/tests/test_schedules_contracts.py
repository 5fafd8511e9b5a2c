"""The kernel's contract, held by this plugin's schedules."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from penstock.schedules import Schedule
from penstock.testing.schedules import ScheduleContract
from penstock_schedulers import CronSchedule, IntervalSchedule

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
