"""What becomes of schedules: runs here, or runs in the backend."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, Parameter, clock, context, errors, get_backend, settings, task
from penstock.schedules import Schedule
from penstock.testing.clocks import VirtualClock
from penstock_schedulers import BackendScheduler, CronSchedule, IntervalSchedule, LocalScheduler, backend

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG = 60.0  # seconds, after which a test fails instead of hanging


class PatientClock(VirtualClock):
    """A virtual clock that sets the event after so many waits."""

    def __init__(self, waits: int = 10**6) -> None:
        super().__init__(NOON)
        self.waits = waits

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waits -= 1
        if self.waits == 0:
            event.set()
        return super().wait(event, seconds)


@pytest.fixture
def noon() -> Iterator[PatientClock]:
    patient = PatientClock()
    with clock.use(patient):
        yield patient


def recording(name: str, schedule: Schedule | None, record: Callable[[Any], Any]) -> Flow:
    """Return a flow that records when it was due."""

    @task
    def body() -> None:
        record(context.get("scheduled_start_time"))

    with Flow(name, schedule=schedule) as flow:
        body()
    return flow


def hourly(hours: int = 1, *, count: int) -> IntervalSchedule:
    """Return a schedule with *count* times after noon."""
    return IntervalSchedule(NOON, hours * HOUR, NOON + count * hours * HOUR)


def test_flows_run_at_each_of_their_times_until_none_is_left(noon: PatientClock) -> None:
    runs: list[tuple[int, datetime]] = []
    scheduler = LocalScheduler()

    def record(hours: int) -> Callable[[datetime], None]:
        return lambda due: runs.append((hours, due))

    for hours in (1, 2):
        flow = recording(f"every {hours}", hourly(hours, count=3), record(hours))
        scheduler.add_flow(flow)
    scheduler.run(threading.Event())
    assert sorted((hours, (due - NOON) // HOUR) for hours, due in runs) == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 2),
        (2, 4),
        (2, 6),
    ]
    assert noon.now() == NOON + 6 * HOUR


def test_a_flow_runs_while_another_does(noon: PatientClock) -> None:
    met = threading.Barrier(2, timeout=LONG)
    there: list[int] = []
    scheduler = LocalScheduler()
    for name in ("one", "other"):
        scheduler.add_flow(recording(name, hourly(count=1), lambda _: there.append(met.wait())))
    scheduler.run(threading.Event())
    assert sorted(there) == [0, 1]


def test_a_flow_does_not_overlap_itself(noon: PatientClock, caplog: pytest.LogCaptureFixture) -> None:
    runs: list[datetime] = []

    def slow(due: datetime) -> None:
        runs.append(due)
        clock.sleep(2.5 * HOUR.total_seconds())

    scheduler = LocalScheduler()
    scheduler.add_flow(recording("slow", hourly(count=4), slow))
    with caplog.at_level("WARNING", "penstock"):
        scheduler.run(threading.Event())
    assert runs == [NOON + HOUR, NOON + 4 * HOUR]
    assert caplog.text.count("still runs from an earlier time") == 2
    assert noon.now() == NOON + 6.5 * HOUR


def test_stopping_lets_what_runs_end_and_begins_nothing_more(noon: PatientClock) -> None:
    stop = threading.Event()
    runs: list[datetime] = []

    def stopping(due: datetime) -> None:
        stop.set()
        runs.append(due)

    scheduler = LocalScheduler()
    scheduler.add_flow(recording("stopping", hourly(count=9), stopping))
    scheduler.run(stop)
    assert runs == [NOON + HOUR]


def test_stopping_does_not_wait_for_the_next_time() -> None:
    stop = threading.Event()
    scheduler = LocalScheduler()
    scheduler.add_flow(recording("yearly", CronSchedule("@yearly"), print))
    running = threading.Thread(target=scheduler.run, args=(stop,))
    running.start()
    stop.set()
    running.join(LONG)
    assert not running.is_alive()


def test_a_run_that_fails_or_cannot_begin_stops_nothing(noon: PatientClock, caplog: pytest.LogCaptureFixture) -> None:
    runs: list[datetime] = []

    def failing(due: datetime) -> None:
        runs.append(due)
        raise ValueError("no luck")

    class Broken(Flow):
        """A flow whose executor cannot be opened, say."""

        def run(self, *args: Any, **options: Any) -> Any:
            raise errors.ExecutorError("the cluster is away")

    scheduler = LocalScheduler()
    scheduler.add_flow(recording("failing", hourly(count=3), failing))
    scheduler.add_flow(Broken("broken", schedule=hourly(count=3)))
    with caplog.at_level("ERROR", "penstock.scheduler"):
        scheduler.run(threading.Event())
    assert runs == [NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR]
    assert caplog.text.count('Flow "broken", due at') == caplog.text.count("ExecutorError: the cluster is away") == 3


def test_a_flow_that_cannot_run_by_itself_is_refused() -> None:
    scheduler = LocalScheduler()
    with pytest.raises(errors.ScheduleError, match='Flow "unscheduled" has no schedule'):
        scheduler.add_flow(recording("unscheduled", None, print))
    with Flow("asking", schedule=CronSchedule("@daily")) as asking:
        Parameter("limit")()
    with pytest.raises(errors.ParameterError, match="limit"):
        scheduler.add_flow(asking)


def test_without_flows_there_is_nothing_to_do() -> None:
    LocalScheduler().run(threading.Event())


def test_the_backend_has_the_coming_runs_ready() -> None:
    flow = recording("daily", CronSchedule("0 6 * * *"), print)
    with clock.use(PatientClock(waits=3)):
        store = get_backend()
        store.create_project("tutorial")
        store.register_flow(flow.serialize(), project="tutorial")
        BackendScheduler(ahead=4).run(threading.Event())
        due = sorted(run.scheduled_time for run in store.list_flow_runs("tutorial", "daily") if run.scheduled_time)
        store.close()
    assert due == [datetime(2026, 3, day, 6, tzinfo=UTC) for day in (21, 22, 23, 24)]


def test_a_backend_out_of_reach_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[tuple[datetime, int, str]] = []

    class Away:
        """A backend that cannot be reached the first time."""

        def schedule_due(self, now: datetime, *, ahead: int, catchup: str) -> int:
            asked.append((now, ahead, catchup))
            if len(asked) == 1:
                raise errors.BackendUnreachableError("no route")
            return 2

        def end_lost_runs(self) -> int:
            return 1

    monkeypatch.setattr(backend, "get_backend", Away)
    chosen = settings.override({"scheduler": {"interval_seconds": 7, "ahead": 5, "catchup": "all"}})
    with chosen, clock.use(PatientClock(waits=7)), caplog.at_level("INFO", "penstock"):
        BackendScheduler().run(threading.Event())
    assert asked == [(NOON + timedelta(seconds=7 * number), 5, "all") for number in range(7)]
    assert "out of reach, and will be tried again: no route" in caplog.text
    # for the 30 s of a lease nobody is judged, since nobody could renew it
    assert caplog.text.count("2 runs scheduled, 0 lost runs ended") == 4
    assert caplog.text.count("2 runs scheduled, 1 lost runs ended") == 2


class Set(PatientClock):
    """A clock that somebody sets an hour ahead, after so many waits."""

    def __init__(self, after: int, **options: int) -> None:
        super().__init__(**options)
        self.before = self.waits - after

    def now(self) -> datetime:
        return super().now() + (HOUR if self.waits <= self.before else timedelta())


@pytest.mark.parametrize(("renews", "ends"), [(True, "Submitted"), (False, "Failed")])
def test_a_clock_that_is_set_ends_no_run_whose_lease_is_renewed(renews: bool, ends: str, tmp_path: Path) -> None:
    with settings.override({"backend": {"url": f"sqlite:///{tmp_path}/p.db"}}), clock.use(Set(after=2, waits=14)):
        store = get_backend()
        store.create_project("tutorial")
        with Flow("long") as flow:
            Parameter("n", default=1)()
        store.register_flow(flow.serialize(), project="tutorial")
        run = store.create_flow_run("tutorial", "long").id
        (claim,) = store.claim("ann", lease_seconds=30)

        class Renewing:
            """Renews the lease at every other look, but not at the one at which the clock was set."""

            def schedule_due(self, now: datetime, **_options: object) -> int:
                if renews and now.second % 10 == 5:
                    store.heartbeat(run, claim.fence, lease_seconds=30)
                return 0

            def end_lost_runs(self) -> int:
                return store.end_lost_runs()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backend, "get_backend", Renewing)
            BackendScheduler(interval_seconds=5).run(threading.Event())
        assert store.get_flow_run(run).state.type == ends
        store.close()
