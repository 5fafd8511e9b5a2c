"""What every schedule holds to, as tests."""

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import ClassVar

import pytest

from penstock import clock, errors
from penstock.schedules import Schedule
from penstock.testing.clocks import VirtualClock


class ScheduleContract:
    """Subclass it as `Test...`, and give the fixture `schedule`, which is due now and then after `after`."""

    after: ClassVar[datetime] = datetime(2026, 3, 20, 11, 30, 15, 500, UTC)
    """A moment after which the schedule is due at least a hundred times."""

    @pytest.fixture
    def schedule(self) -> Schedule:
        """Return the schedule under test."""
        raise NotImplementedError

    def test_times_are_ascending_in_utc_and_strictly_after(self, schedule: Schedule) -> None:
        times = schedule.next(100, self.after)
        assert len(times) == 100
        assert all(time.tzinfo is UTC for time in times)
        assert all(earlier < later for earlier, later in pairwise([self.after, *times]))

    def test_one_after_another_are_the_same_as_many_at_once(self, schedule: Schedule) -> None:
        times, after = schedule.next(40, self.after), self.after
        for time in times:
            assert schedule.next(1, after) == [time]
            after = time

    def test_just_before_a_time_it_is_the_next(self, schedule: Schedule) -> None:
        for time in schedule.next(10, self.after):
            assert schedule.next(1, time - timedelta(microseconds=1)) == [time]
            assert time not in schedule.next(3, time)

    def test_the_same_question_has_the_same_answer(self, schedule: Schedule) -> None:
        assert schedule.next(5, self.after) == schedule.next(5, self.after)

    def test_the_zone_of_the_question_does_not_matter(self, schedule: Schedule) -> None:
        elsewhere = self.after.astimezone(timezone(timedelta(hours=5, minutes=45)))
        assert schedule.next(5, elsewhere) == schedule.next(5, self.after)

    def test_a_question_without_a_zone_is_refused(self, schedule: Schedule) -> None:
        with pytest.raises(errors.ScheduleError, match="time zone"):
            schedule.next(1, self.after.replace(tzinfo=None))

    def test_without_a_moment_it_is_asked_for_what_comes_now(self, schedule: Schedule) -> None:
        with clock.use(VirtualClock(self.after)):
            assert schedule.next(3) == schedule.next(3, self.after)

    def test_no_times_are_no_times(self, schedule: Schedule) -> None:
        assert schedule.next(0, self.after) == []
        assert schedule.next(-1, self.after) == []

    def test_at_the_end_of_time_there_are_few_or_none(self, schedule: Schedule) -> None:
        assert len(schedule.next(5, datetime.max.replace(tzinfo=UTC))) < 5

    def test_its_spec_restores_a_schedule_with_the_same_times(self, schedule: Schedule) -> None:
        restored = Schedule.restore(json.loads(schedule.spec().model_dump_json()))
        assert restored == schedule
        year = self.after + timedelta(days=365)
        assert restored.next(20, self.after) == schedule.next(20, self.after)
        assert restored.next(20, year) == schedule.next(20, year)
