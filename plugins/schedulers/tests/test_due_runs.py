"""`flow.run()` of a flow with a schedule: once, or at each of its times."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from pydantic import Field

from penstock import Flow, Parameter, clock, context, errors, settings, task
from penstock.hooks import manager
from penstock.schedules import ClockEvent, ClockSchedule, CronSchedule, DatesSchedule, Schedule
from penstock.testing.clocks import VirtualClock

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Hours(Schedule):
    """Due at some hours of one day, each with a name as a parameter."""

    type: ClassVar[str] = "hours"
    hours: list[int]
    names: dict[int, str] = Field(default_factory=dict)

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        times = [NOON.replace(hour=hour) for hour in sorted(self.hours)]
        return [time for time in times if time > (after or clock.now())][:n]

    def events(self, n: int, after: datetime | None = None) -> list[ClockEvent]:
        return [
            ClockEvent(time, {"name": self.names[time.hour]} if time.hour in self.names else {})
            for time in self.next(n, after)
        ]


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with clock.use(VirtualClock(NOON)):
        yield


@pytest.fixture
def seen() -> list[Any]:
    """What the runs of `flow` have seen."""
    return []


def recording(seen: list[Any], schedule: Schedule | None, seconds: float = 0, default: Any = "nobody") -> Flow:
    @task
    def record(name: str) -> str:
        seen.append((clock.now().hour, context["scheduled_start_time"].hour, name))
        clock.sleep(seconds)
        if name == "fails":
            raise ValueError(name)
        return name

    with Flow("due", schedule=schedule) as flow:
        record(Parameter("name", **({"default": default} if default is not None else {})))
    return flow


def test_a_flow_with_a_schedule_runs_once_and_now(seen: list[Any]) -> None:
    assert recording(seen, Hours(hours=[13, 14])).run().is_successful()
    assert seen == [(12, 12, "nobody")]


def test_on_schedule_it_runs_at_each_of_its_times(seen: list[Any]) -> None:
    flow = recording(seen, Hours(hours=[11, 14, 13]))
    state = flow.run(name="Ada", run_on_schedule=True, context={"more": 1})
    assert state.is_successful()
    assert seen == [(13, 13, "Ada"), (14, 14, "Ada")]


def test_a_setting_decides_where_the_call_does_not(seen: list[Any]) -> None:
    flow = recording(seen, Hours(hours=[13]))
    with settings.override({"flows": {"run_on_schedule": True}}):
        flow.run()
        flow.run(run_on_schedule=False)
    assert [hour for hour, *_ in seen] == [13, 13]


def test_the_parameters_of_a_time_go_over_those_of_the_call(seen: list[Any]) -> None:
    flow = recording(seen, Hours(hours=[13, 14], names={14: "Grace"}))
    assert flow.run({"name": "Ada"}, run_on_schedule=True).is_successful()
    assert [name for *_, name in seen] == ["Ada", "Grace"]


def test_clocks_that_meet_are_a_run_each(seen: list[Any]) -> None:
    one = NOON + timedelta(hours=1)
    ada, grace = (DatesSchedule([one], parameter_defaults={"name": name}) for name in ("Ada", "Grace"))
    flow = recording(seen, ClockSchedule([ada, grace, DatesSchedule([one + HOUR])]))
    flow.run({"name": "Edsger"}, run_on_schedule=True)
    assert [(hour, name) for hour, _, name in seen] == [(13, "Ada"), (13, "Grace"), (14, "Edsger")]


def test_a_time_that_passes_during_a_run_is_left_out(seen: list[Any]) -> None:
    recording(seen, Hours(hours=[13, 14, 16]), seconds=2 * 3600).run(run_on_schedule=True)
    assert [hour for hour, *_ in seen] == [13, 16]


def test_the_last_state_is_returned_and_a_failure_ends_nothing(seen: list[Any]) -> None:
    schedule = Hours(hours=[13, 14], names={13: "fails"})
    assert recording(seen, schedule).run(run_on_schedule=True).is_successful()
    assert len(seen) == 2
    schedule = Hours(hours=[15, 16], names={16: "fails"})
    assert recording(seen, schedule).run(run_on_schedule=True).is_failed()


def test_a_run_that_cannot_be_driven_does_not_end_the_others(seen: list[Any]) -> None:
    flow = recording(seen, Hours(hours=[13, 14], names={13: "Ada"}), default=None)
    state = flow.run(run_on_schedule=True)
    assert [name for *_, name in seen] == ["Ada"]
    assert state.is_failed()
    assert "needs a value for name" in str(state.message)


def test_what_cannot_work_is_refused_before_waiting(seen: list[Any]) -> None:
    with pytest.raises(errors.ScheduleError, match=r"\"due\" is not due any more.*flow.run\(\)"):
        recording(seen, Hours(hours=[11])).run(run_on_schedule=True)
    with pytest.raises(errors.ParameterError, match="no parameter"):
        recording(seen, Hours(hours=[13])).run(other=1, run_on_schedule=True)
    assert (clock.now(), seen) == (NOON, [])


def test_without_the_plugin_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch, seen: list[Any]) -> None:
    flow = recording(seen, Hours(hours=[13]))
    monkeypatch.setattr(manager, "_registry", manager.Registry())
    with pytest.raises(errors.PluginMissingError, match="penstock-schedulers"):
        flow.run(run_on_schedule=True)


def test_without_a_schedule_there_is_nothing_to_wait_for(seen: list[Any]) -> None:
    assert recording(seen, None).run(run_on_schedule=True).is_successful()
    assert [hour for hour, *_ in seen] == [12]


@pytest.mark.parametrize("name", ["return_tasks", "runner_cls", "task_runner_state_handlers"])
def test_what_the_classic_run_took_is_explained(seen: list[Any], name: str) -> None:
    flow = recording(seen, None)
    options: dict[str, Any] = {name: []}
    with pytest.raises(errors.ParameterError, match=rf'"due" cannot be run with {name}=\.\.\.: '):
        flow.run(None, **options)
    with Flow("own") as own:
        Parameter(name)
    assert own.run(None, **options).is_successful()


def test_schedules_tell_events_by_a_method_of_their_own() -> None:
    (event,) = Hours(hours=[12], names={12: "noon"}).events(1, NOON - HOUR)
    assert (event.start_time, dict(event.parameter_defaults)) == (NOON, {"name": "noon"})
    assert CronSchedule("@hourly").events(1, NOON) == [ClockEvent(NOON + HOUR)]
