"""What becomes of times that pass while no scheduler looks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from penstock import clock, hookimpl, settings, states
from penstock.hooks import observing
from penstock.schedules import Schedule
from penstock.spec import FlowSpec
from penstock.testing.clocks import VirtualClock
from penstock_backend import SQLBackend, maintenance, schedules
from penstock_backend.backend import database_at

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Hours(Schedule):
    """Due at every whole hour until `end`, and counts how often it is asked."""

    type: ClassVar[str] = "hours"
    asked: ClassVar[int] = 0
    end: datetime | None = None
    step: timedelta = HOUR

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        type(self).asked += 1
        begin = NOON + ((after or clock.now()) - NOON) // self.step * self.step
        times = [begin + number * self.step for number in range(1, n + 1)]
        return [time for time in times if self.end is None or time <= self.end]


class Plugin:
    @hookimpl
    def penstock_register_schedule(self) -> list[type[Schedule]]:
        return [Hours]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLBackend]:
    with observing(Plugin(), "hours"), clock.use(VirtualClock(NOON)):
        Hours.asked = 0
        store = SQLBackend(f"sqlite:///{tmp_path / 'penstock.db'}")
        store.create_project("p")
        yield store
        store.close()


def register(store: SQLBackend, schedule: Schedule | None = None, *, active: bool = True) -> None:
    spec = FlowSpec(name="f", schedule=(schedule or Hours()).spec())
    store.register_flow(spec, project="p", schedule_active=active)


def hours(store: SQLBackend) -> list[float]:
    runs = store.list_flow_runs("p", "f", limit=10_000)
    return sorted((run.scheduled_time - NOON) / HOUR for run in runs if run.scheduled_time)


def pass_hours(number: float) -> None:
    clock.sleep(number * 3600)


def test_what_was_kept_ready_stays_and_of_what_came_after_the_latest_is_made(store: SQLBackend) -> None:
    register(store)
    store.schedule_due(ahead=2)
    pass_hours(7.5)
    assert store.schedule_due(ahead=2) == 3
    assert hours(store) == [1, 2, 7, 8, 9]
    assert [run.late for run in store.list_flow_runs("p", "f")].count(True) == 3


def test_the_setting_says_which(store: SQLBackend) -> None:
    register(store)
    pass_hours(3.5)
    with settings.override({"scheduler": {"catchup": "none"}}):
        assert store.schedule_due(ahead=1) == 1
    pass_hours(3)
    with settings.override({"scheduler": {"catchup": "all"}}):
        assert store.schedule_due(ahead=1) == 3
    assert hours(store) == [4, 5, 6, 7]


def test_a_time_for_which_somebody_asked_meanwhile_is_not_made_up_for(store: SQLBackend) -> None:
    register(store)
    pass_hours(3.5)
    store.create_flow_run("p", "f", scheduled_time=NOON + 2 * HOUR)
    store.create_flow_run("p", "f", scheduled_time=NOON + 3 * HOUR, labels=["other"])
    assert store.schedule_due(ahead=1, catchup="all") == 3
    assert hours(store) == [1, 2, 3, 3, 4]


def test_a_time_while_the_schedule_was_paused_is_not_missed(store: SQLBackend) -> None:
    register(store)
    store.schedule_due(ahead=1)
    pass_hours(0.5)
    store.set_schedule_active("p", "f", active=False)
    pass_hours(5)
    flow = store.set_schedule_active("p", "f", active=True)
    assert set(flow.spec) == set(FlowSpec(name="f").model_dump())
    pass_hours(2)
    assert store.schedule_due(ahead=1, catchup="all") == 3
    assert hours(store) == [6, 7, 8]


def test_registered_as_paused_it_begins_when_it_is_resumed(store: SQLBackend) -> None:
    register(store, active=False)
    pass_hours(5.5)
    store.set_schedule_active("p", "f", active=True)
    store.set_schedule_active("p", "f", active=True)
    assert store.schedule_due(ahead=1, catchup="all") == 1
    assert hours(store) == [6]


def test_an_edited_schedule_makes_no_run_in_the_past(store: SQLBackend) -> None:
    register(store)
    pass_hours(5.5)
    register(store, Hours(step=HOUR / 2))
    assert store.schedule_due(ahead=2, catchup="all") == 2
    assert hours(store) == [6, 6.5]


def test_many_missed_times_are_caught_up_with_in_turns(store: SQLBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "_AT_ONCE", 150)
    register(store)
    pass_hours(400.5)
    made = [store.schedule_due(ahead=3, catchup="all") for _ in range(4)]
    assert made == [150, 150, 103, 0]
    assert hours(store) == list(range(1, 404))


def test_a_scheduler_whose_clock_is_behind_makes_nothing_that_another_has_gone_beyond(store: SQLBackend) -> None:
    register(store)
    pass_hours(5.5)
    behind = clock.now() - HOUR
    assert store.schedule_due(ahead=1) == 2
    assert store.schedule_due(behind, ahead=1) == 0
    assert hours(store) == [5, 6]


def test_what_one_scheduler_found_missed_is_not_made_after_another_has_caught_up(
    store: SQLBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(store)
    pass_hours(5.5)
    other = SQLBackend(store.url)
    timetable, asked = store._timetable, list[int]()
    plain = timetable.wanted

    def interrupted(*given: Any) -> Any:
        wanted = plain(*given)
        if not asked:
            asked.append(other.schedule_due(clock.now() + HOUR, ahead=1))
        return wanted

    monkeypatch.setattr(timetable, "wanted", interrupted)  # between its reading and its writing
    assert store.schedule_due(ahead=1) == 0
    assert asked == [2]
    assert hours(store) == [6, 7]
    other.close()


def test_a_schedule_is_asked_again_when_a_time_has_come(store: SQLBackend) -> None:
    register(store)
    store.schedule_due(ahead=2)
    before = Hours.asked
    for _ in range(5):
        pass_hours(0.1)
        assert store.schedule_due(ahead=2) == 0
    assert Hours.asked == before
    pass_hours(0.6)
    assert store.schedule_due(ahead=2) == 1
    assert store.schedule_due(ahead=3) == 1


def test_a_schedule_that_ended_is_not_asked_again(store: SQLBackend) -> None:
    register(store, Hours(end=NOON + 2 * HOUR))
    assert store.schedule_due(ahead=5) == 2
    pass_hours(9)
    assert store.schedule_due() == 0
    before = Hours.asked
    pass_hours(9)
    assert (store.schedule_due(), Hours.asked) == (0, before)


@pytest.mark.parametrize("away", [timedelta(minutes=5), timedelta(days=1), timedelta(days=900)])
def test_the_latest_of_many_is_found_at_once(store: SQLBackend, away: timedelta) -> None:
    register(store, Hours(step=timedelta(seconds=1)))
    begun = Hours.asked
    now = NOON + away
    assert schedules.missed(Hours(step=timedelta(seconds=1)), NOON, now, "latest")[0].start_time == now
    rare = schedules.missed(Hours(step=timedelta(minutes=4)), NOON, now, "latest")[0].start_time
    assert rare == now - (now - NOON) % timedelta(minutes=4)
    assert Hours.asked < begun + 40


def test_a_run_is_late_a_little_after_its_time_and_until_it_begins(store: SQLBackend) -> None:
    register(store)
    store.schedule_due(ahead=1)
    clock.sleep(3610)
    assert not store.list_flow_runs("p", "f")[0].late
    clock.sleep(10)
    assert store.list_flow_runs("p", "f", state="Late")[0].late
    store.cancel_flow_run(store.list_flow_runs("p", "f")[0].id)
    assert store.list_flow_runs("p", "f", state="Late") == []


def test_a_time_whose_run_was_pruned_is_not_made_up_for_again(store: SQLBackend) -> None:
    register(store)
    pass_hours(3.5)
    store.schedule_due(ahead=1, catchup="all")
    for run in store.list_flow_runs("p", "f"):
        store.set_state(run.id, states.Success().serialize())
    pass_hours(0.25)
    assert sum(maintenance.prune(database_at(store.url), maintenance.Pruning(timedelta(0)))) == 3
    assert hours(store) == [4]
    assert store.schedule_due(ahead=1, catchup="all") == 0
    assert hours(store) == [4]
