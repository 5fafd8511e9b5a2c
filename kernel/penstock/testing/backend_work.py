"""What every backend holds to where agents and schedulers work with it."""

import threading
from datetime import timedelta

import pytest

from penstock import clock, errors, states
from penstock.backends import Backend
from penstock.backends.models import Claim, StateReport
from penstock.settings import Catchup
from penstock.spec import FlowSpec, ParameterSpec
from penstock.testing.backend_cases import (
    ELSEWHERE,
    HOUR,
    JOIN_SECONDS,
    NOON,
    BackendCase,
    Broken,
    EveryMinute,
    TwoClocks,
    line,
    report,
)


class BackendWorkContract(BackendCase):
    """A part of `BackendContract`."""

    # agents

    def test_the_run_that_is_due_longest_is_claimed_first_and_by_one_agent(self, tutorial: Backend) -> None:
        now = clock.now()
        times = [now - HOUR, now - 2 * HOUR, now + HOUR]
        runs = [tutorial.create_flow_run("tutorial", "hello", scheduled_time=time).id for time in times]
        (first,) = tutorial.claim("ann")
        assert (first.run.id, first.run.state.type, first.run.agent) == (runs[1], "Submitted", "ann")
        assert [one.run.id for one in tutorial.claim("bob", limit=5)] == [runs[0]]
        assert tutorial.claim("ann", limit=5) == []

    def test_who_watches_is_told_of_a_run_that_is_created_and_of_one_whose_time_comes(self, tutorial: Backend) -> None:
        stop, seen = threading.Event(), threading.Semaphore(0)

        def watch() -> None:
            for _ in tutorial.watch_due_runs(stop, 0.01):
                seen.release()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            assert seen.acquire(timeout=JOIN_SECONDS), "it is worth to claim when one begins to watch"
            for later in (timedelta(0), timedelta(seconds=0.3)):
                run = tutorial.create_flow_run("tutorial", "hello", scheduled_time=clock.now() + later).id
                found: list[Claim] = []
                while not found:
                    assert seen.acquire(timeout=JOIN_SECONDS)
                    found = tutorial.claim("ann")
                assert [one.run.id for one in found] == [run]
        finally:
            stop.set()
            watcher.join(JOIN_SECONDS)
        assert not watcher.is_alive()

    def test_a_lease_holds_as_long_as_was_asked_and_is_renewed(self, tutorial: Backend) -> None:
        run = tutorial.create_flow_run("tutorial", "hello").id
        before = clock.now()
        (claim,) = tutorial.claim("ann", lease_seconds=5)
        assert before + timedelta(seconds=5) <= claim.lease_expires <= clock.now() + timedelta(seconds=5)
        assert tutorial.heartbeat(run, claim.fence, lease_seconds=600).lease_expires >= before + timedelta(seconds=600)
        assert tutorial.end_lost_runs(before + timedelta(seconds=500)) == 0

    @pytest.mark.parametrize(
        ("wanted", "offered", "fits"),
        [
            ([], [], True), ([], ["gpu"], False), (["gpu"], [], False), (["gpu"], ["gpu"], True),
            (["gpu"], ["big", "gpu"], True), (["big", "gpu"], ["gpu"], False),
        ],
    )  # fmt: skip
    def test_an_agent_takes_runs_whose_labels_it_has(
        self, tutorial: Backend, wanted: list[str], offered: list[str], *, fits: bool
    ) -> None:
        tutorial.create_flow_run("tutorial", "hello", labels=wanted)
        assert bool(tutorial.claim("ann", offered)) is fits

    def test_a_run_that_fits_nobody_does_not_hold_up_the_next(self, tutorial: Backend) -> None:
        for _ in range(5):
            tutorial.create_flow_run("tutorial", "hello", labels=["elsewhere"])
        run = tutorial.create_flow_run("tutorial", "hello")
        assert [one.run.id for one in tutorial.claim("ann")] == [run.id]

    def test_a_stale_fence_is_refused_everywhere(self, tutorial: Backend, claimed: Claim) -> None:
        run, fence = claimed.run.id, claimed.fence
        for stale in (fence - 1, fence + 1):
            with pytest.raises(errors.LeaseLostError):
                tutorial.heartbeat(run, stale)
            with pytest.raises(errors.LeaseLostError):
                tutorial.report_states(run, stale, [report(states.Running())])
            with pytest.raises(errors.LeaseLostError):
                tutorial.report_logs(run, stale, [line(1)])
        assert tutorial.get_flow_run(run).state.type == "Submitted"
        assert tutorial.list_logs(run) == []

    def test_a_silent_run_is_ended_with_the_reason_and_its_late_report_refused(
        self, tutorial: Backend, claimed: Claim
    ) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_states(run, fence, [report(states.Running()), report(states.Running(), "say-1")])
        assert tutorial.end_lost_runs() == 0
        assert tutorial.end_lost_runs(claimed.lease_expires + timedelta(seconds=1)) == 1
        assert tutorial.end_lost_runs(claimed.lease_expires + timedelta(seconds=1)) == 0
        lost = tutorial.get_flow_run(run)
        assert lost.state.type == "Failed"
        assert "ann" in (lost.state.message or "")
        assert [one.state.type for one in tutorial.list_task_runs(run)] == ["Failed"]
        with pytest.raises(errors.LeaseLostError):
            tutorial.report_states(run, fence, [report(states.Success())])

    def test_a_run_whose_agent_never_ends_it_is_cancelled_in_the_end(self, tutorial: Backend, claimed: Claim) -> None:
        tutorial.cancel_flow_run(claimed.run.id)
        tutorial.heartbeat(claimed.run.id, claimed.fence, lease_seconds=1e6)
        assert tutorial.end_lost_runs(clock.now() + HOUR) == 1
        assert tutorial.get_flow_run(claimed.run.id).state.type == "Cancelled"

    def test_agents_that_asked_for_work_are_listed(self, tutorial: Backend) -> None:
        assert tutorial.claim("ann", ["b", "a"]) == []
        assert tutorial.claim("bob") == []
        assert tutorial.claim("ann", ["a", "b"]) == []
        assert [(one.name, one.labels) for one in tutorial.list_agents()] == [
            ("bob", []),
            ("ann", ["a", "b"]),
        ]
        assert [one.name for one in tutorial.list_agents(limit=1)] == ["bob"]

    # reports

    def test_the_history_is_kept_and_gives_the_times_of_the_run(self, tutorial: Backend, claimed: Claim) -> None:
        run = claimed.run.id
        reports = [report(states.Running("begun")), report(states.Success("done"))]
        tutorial.report_states(run, claimed.fence, reports)
        found = tutorial.get_flow_run(run)
        assert (found.start_time, found.end_time) == tuple(one.timestamp for one in reports)
        assert (found.state.type, found.state.message) == ("Success", "done")
        history = tutorial.list_states(run)
        assert [one.type for one in history] == ["Scheduled", "Submitted", "Running", "Success"]
        assert history[-1] == found.state

    def test_repeating_a_state_changes_nothing(self, tutorial: Backend, claimed: Claim) -> None:
        for state in (states.Running(), states.Success("done")):
            for _ in range(3):
                tutorial.report_states(claimed.run.id, claimed.fence, [report(state), report(state, "say-1")])
        assert [one.type for one in tutorial.list_states(claimed.run.id)][2:] == ["Running", "Success"]

    @pytest.mark.parametrize("ended", [states.Success(), states.Failed(), states.Cancelled(), states.Skipped()])
    @pytest.mark.parametrize("later", [states.Running(), states.Pending(), states.TimedOut(), states.Cached()])
    def test_nothing_follows_an_end(
        self, tutorial: Backend, claimed: Claim, ended: states.State, later: states.State
    ) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_states(run, fence, [report(ended, "say-1")])
        with pytest.raises(errors.ConflictError, match=f"ended as {ended.type}"):
            tutorial.report_states(run, fence, [report(later, "say-1")])
        tutorial.report_states(run, fence, [report(ended)])
        with pytest.raises(errors.ConflictError, match=f"ended as {ended.type}"):
            tutorial.report_states(run, fence, [report(later)])
        assert tutorial.get_flow_run(run).state.type == ended.type
        assert [one.state.type for one in tutorial.list_task_runs(run)] == [ended.type]

    def test_a_batch_is_taken_up_whole_or_not_at_all(self, tutorial: Backend, claimed: Claim) -> None:
        run = claimed.run.id
        batch = [report(states.Running()), report(states.Success(), "a"), report(states.Running(), "a")]
        with pytest.raises(errors.ConflictError):
            tutorial.report_states(run, claimed.fence, batch)
        assert tutorial.get_flow_run(run).state.type == "Submitted"
        assert tutorial.list_task_runs(run) == []

    def test_a_state_that_does_not_exist_is_refused(self, tutorial: Backend, claimed: Claim) -> None:
        wrong = StateReport(state={"type": "Runing"}, timestamp=clock.now())
        with pytest.raises(errors.ConflictError, match="Did you mean Running"):
            tutorial.report_states(claimed.run.id, claimed.fence, [wrong])

    def test_task_runs_are_told_apart_by_slug_and_map_index_in_the_order_they_were_heard_of(
        self, tutorial: Backend, claimed: Claim
    ) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_states(run, fence, [report(states.Running(), "b"), report(states.Running(), "a", 1)])
        tutorial.report_states(run, fence, [report(states.Mapped(), "a"), report(states.Success(), "a", 1)])
        tutorial.report_states(run, fence, [report(states.Failed("no"), "a", 0), report(states.Success(), "b")])
        found = tutorial.list_task_runs(run)
        assert [(one.name, one.slug, one.map_index, one.state.type) for one in found] == [
            ("b", "b", None, "Success"),
            ("a[1]", "a", 1, "Success"),
            ("a", "a", None, "Mapped"),
            ("a[0]", "a", 0, "Failed"),
        ]
        assert [one.name for one in tutorial.list_task_runs(run, limit=2)] == ["b", "a[1]"]
        assert all(one.flow_run == run for one in found)

    def test_a_task_run_that_is_retried_counts_its_attempts(self, tutorial: Backend, claimed: Claim) -> None:
        run, fence = claimed.run.id, claimed.fence
        again = report(states.Running(), "a").model_copy(update={"attempt": 2})
        retry = report(states.Retrying("again", run_count=1), "a")
        tutorial.report_states(run, fence, [report(states.Running(), "a"), retry, again])
        (task,) = tutorial.list_task_runs(run)
        assert (task.state.type, task.attempt, task.end_time) == ("Running", 2, None)

    def test_thousands_of_reports_arrive_in_batches(self, tutorial: Backend, claimed: Claim) -> None:
        run, fence = claimed.run.id, claimed.fence
        for start in range(0, 3000, 500):
            reports = [
                report(state, "count-1", index)
                for index in range(start, start + 500)
                for state in (states.Running(), states.Success())
            ]
            tutorial.report_states(run, fence, reports)
        found = tutorial.list_task_runs(run, limit=10_000)
        assert [one.map_index for one in found] == list(range(3000))
        assert {one.state.type for one in found} == {"Success"}

    def test_log_lines_arrive_once_and_in_order(self, tutorial: Backend, claimed: Claim) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_logs(run, fence, [line(1, "one"), line(2, "two")])
        tutorial.report_logs(run, fence, [line(2, "two"), line(3, "three"), line(3, "three")])
        tutorial.report_logs(run, fence, [line(1, "again", attempt=2)])
        tutorial.report_logs(run, fence, [])
        assert [one.message for one in tutorial.list_logs(run)] == ["one", "two", "three", "again"]
        assert [one.message for one in tutorial.list_logs(run, after=2)] == ["three", "again"]
        assert [one.message for one in tutorial.list_logs(run, after=1, limit=1)] == ["two"]
        assert tutorial.list_logs(run, after=4) == []

    def test_texts_that_no_database_can_keep_or_that_are_long_arrive_all_the_same(
        self, tutorial: Backend, claimed: Claim
    ) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_logs(run, fence, [line(1, "nul \0, half a pair \ud83d."), line(2, "x" * 300_000)])
        tutorial.report_states(run, fence, [report(states.Failed("nul \0"), "a" * 300)])
        first, second = tutorial.list_logs(run)
        assert first.message.startswith("nul \N{REPLACEMENT CHARACTER}, half a pair \N{REPLACEMENT CHARACTER}")
        assert second.message == "x" * 300_000
        assert [one.slug for one in tutorial.list_task_runs(run)] == ["a" * 300]

    def test_each_process_of_an_attempt_counts_its_own_lines(self, tutorial: Backend, claimed: Claim) -> None:
        run = claimed.run.id
        tutorial.report_logs(run, claimed.fence, [line(1, "before the pause")])
        tutorial.report_states(run, claimed.fence, [report(states.Paused())])
        tutorial.set_state(run, states.Resume().serialize())
        (again,) = tutorial.claim("bob")
        assert again.run.attempt == 1
        for _ in range(2):
            tutorial.report_logs(run, again.fence, [line(1, "after it")])
        assert [one.message for one in tutorial.list_logs(run)] == ["before the pause", "after it"]

    def test_a_level_of_any_name_is_kept(self, tutorial: Backend, claimed: Claim) -> None:
        levels = ["INFO", "ABOUT AS IMPORTANT AS THE LAST ELECTION"]
        lines = [line(number).model_copy(update={"level": level}) for number, level in enumerate(levels, start=1)]
        tutorial.report_logs(claimed.run.id, claimed.fence, lines)
        assert [one.level for one in tutorial.list_logs(claimed.run.id)] == levels

    def test_an_ended_run_still_takes_the_lines_it_logged_before(self, tutorial: Backend, claimed: Claim) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_states(run, fence, [report(states.Success())])
        tutorial.report_logs(run, fence, [line(1, "the last line")])
        assert tutorial.heartbeat(run, fence).command == "continue"
        assert [one.message for one in tutorial.list_logs(run)] == ["the last line"]

    # schedules

    @pytest.fixture
    def scheduled(self, tutorial: Backend, _schedules: None) -> Backend:
        """Return the backend with the flow "hourly" on a schedule beside "hello"."""
        tutorial.register_flow(FlowSpec(name="minutely", schedule=EveryMinute().spec()), project="tutorial")
        return tutorial

    def test_a_schedule_becomes_runs_once(self, scheduled: Backend) -> None:
        assert scheduled.schedule_due(NOON, ahead=3) == 3
        assert scheduled.schedule_due(NOON, ahead=3) == 0
        assert scheduled.schedule_due(NOON + timedelta(minutes=1), ahead=3) == 1
        times = sorted(
            one.scheduled_time for one in scheduled.list_flow_runs("tutorial", "minutely") if one.scheduled_time
        )
        assert times == [NOON + timedelta(minutes=number) for number in (1, 2, 3, 4)]
        assert scheduled.list_flow_runs("tutorial", "hello") == []

    def test_any_number_of_schedulers_make_each_run_once(self, scheduled: Backend) -> None:
        made: list[int] = []
        together = threading.Barrier(4)

        def schedule() -> None:
            together.wait()
            made.append(scheduled.schedule_due(NOON, ahead=20))

        threads = [threading.Thread(target=schedule) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(JOIN_SECONDS)
        assert sum(made) == 20
        assert len(scheduled.list_flow_runs("tutorial", "minutely", limit=200)) == 20

    @pytest.mark.usefixtures("_schedules")
    def test_what_clocks_give_their_runs_is_theirs_and_two_at_one_time_are_two_runs(self, tutorial: Backend) -> None:
        limit = ParameterSpec(name="limit", required=False, default=3)
        spec = FlowSpec(name="twice", labels=["own"], parameters=[limit], schedule=TwoClocks().spec())
        tutorial.register_flow(spec, project="tutorial")
        assert tutorial.schedule_due(NOON, ahead=2) == 4
        assert tutorial.schedule_due(NOON, ahead=2) == 0
        assert tutorial.schedule_due(NOON + timedelta(minutes=1), ahead=2) == 2
        made = tutorial.list_flow_runs("tutorial", "twice")
        assert sorted(((one.scheduled_time, one.parameters, one.labels) for one in made), key=str) == [
            (NOON + timedelta(minutes=number), parameters, labels)
            for number in (1, 2, 3)
            for parameters, labels in (({"limit": 5}, ["big", "gpu"]), ({}, ["own"]))
        ]

    @pytest.mark.usefixtures("_schedules")
    def test_a_clock_that_gives_what_the_flow_does_not_take_is_logged(
        self, tutorial: Backend, caplog: pytest.LogCaptureFixture
    ) -> None:
        tutorial.register_flow(FlowSpec(name="twice", schedule=TwoClocks().spec()), project="tutorial")
        with caplog.at_level("WARNING", logger="penstock"):
            assert tutorial.schedule_due(NOON, ahead=2) == 0
        assert "twice" in caplog.text
        assert "limit" in caplog.text

    def test_a_run_that_its_schedule_would_make_again_is_not_deleted(self, scheduled: Backend) -> None:
        begun = clock.now()
        scheduled.schedule_due(begun, ahead=1)
        (coming,) = scheduled.list_flow_runs("tutorial", "minutely")
        with pytest.raises(errors.ConflictError, match=f"runs cancel {coming.name}"):
            scheduled.delete_flow_run(coming.id)
        scheduled.cancel_flow_run(coming.id)
        with pytest.raises(errors.ConflictError, match="after its time"):
            scheduled.delete_flow_run(coming.id)
        assert scheduled.schedule_due(begun, ahead=1) == 0

    def test_a_run_of_a_schedule_that_is_deleted_does_not_come_back(self, scheduled: Backend) -> None:
        begun = clock.now()
        assert scheduled.schedule_due(begun - HOUR, ahead=1) == 1
        (past,) = scheduled.list_flow_runs("tutorial", "minutely")
        scheduled.cancel_flow_run(past.id)
        scheduled.delete_flow_run(past.id)
        assert scheduled.schedule_due(begun, ahead=1, catchup="all") == 1
        (coming,) = scheduled.list_flow_runs("tutorial", "minutely")
        assert coming.scheduled_time is not None
        assert coming.scheduled_time > begun

    def test_pausing_a_schedule_drops_the_runs_that_have_not_begun(self, scheduled: Backend) -> None:
        asked = scheduled.create_flow_run("tutorial", "minutely")
        scheduled.schedule_due(clock.now(), ahead=5)
        assert not scheduled.set_schedule_active("tutorial", "minutely", active=False).schedule_active
        assert [one.id for one in scheduled.list_flow_runs("tutorial", "minutely")] == [asked.id]
        assert scheduled.schedule_due(NOON) == 0
        assert scheduled.set_schedule_active("tutorial", "minutely", active=True).schedule_active
        assert scheduled.schedule_due(NOON, ahead=2) == 2

    def test_a_new_version_or_an_archived_flow_drops_the_runs_that_have_not_begun(self, scheduled: Backend) -> None:
        scheduled.schedule_due(NOON, ahead=2)
        scheduled.register_flow(FlowSpec(name="minutely", schedule=EveryMinute().spec()), project="tutorial")
        assert scheduled.list_flow_runs("tutorial", "minutely") == []
        assert scheduled.schedule_due(NOON, ahead=2) == 2
        assert {one.version for one in scheduled.list_flow_runs("tutorial", "minutely")} == {2}
        scheduled.archive_flow("tutorial", "minutely")
        assert scheduled.schedule_due(NOON, ahead=2) == 0
        assert scheduled.list_flow_runs("tutorial", "minutely") == []

    @pytest.mark.parametrize(("catchup", "missed"), [("none", 0), ("latest", 1), ("all", 60)])
    def test_of_the_times_that_nobody_looked_at_those_that_are_asked_for_become_runs(
        self, scheduled: Backend, catchup: Catchup, missed: int
    ) -> None:
        registered = scheduled.get_flow("tutorial", "minutely").created
        now = registered.replace(second=0, microsecond=0) + HOUR
        assert scheduled.schedule_due(now, ahead=2, catchup=catchup) == missed + 2
        for other in ("all", "latest", catchup):
            assert scheduled.schedule_due(now, ahead=2, catchup=other) == 0
        runs = scheduled.list_flow_runs("tutorial", "minutely", limit=200)
        times = sorted(one.scheduled_time for one in runs if one.scheduled_time)
        assert times == [now + timedelta(minutes=number) for number in range(1 - missed, 3)]
        assert times[0] > registered

    def test_a_new_version_makes_no_runs_for_times_before_it(self, scheduled: Backend) -> None:
        assert scheduled.schedule_due(clock.now() - HOUR, ahead=2, catchup="all") == 2
        scheduled.register_flow(FlowSpec(name="minutely", schedule=EveryMinute().spec()), project="tutorial")
        registered = scheduled.get_flow("tutorial", "minutely").created
        assert scheduled.schedule_due(registered, ahead=1, catchup="all") == 1

    def test_what_is_due_and_waits_for_an_agent_is_late(self, tutorial: Backend) -> None:
        late = tutorial.create_flow_run("tutorial", "hello", scheduled_time=clock.now() - HOUR)
        coming = tutorial.create_flow_run("tutorial", "hello", scheduled_time=clock.now() + HOUR)
        assert tutorial.get_flow_run(late.id).late
        assert not tutorial.get_flow_run(coming.id).late
        assert [one.id for one in tutorial.list_flow_runs("tutorial", "hello", state="Late")] == [late.id]
        (claim,) = tutorial.claim("ann")
        assert (claim.run.id, tutorial.get_flow_run(late.id).late) == (late.id, False)
        assert tutorial.list_flow_runs(state="Late") == []

    @pytest.mark.usefixtures("_schedules")
    def test_a_schedule_registered_as_paused_makes_no_runs(self, tutorial: Backend) -> None:
        spec = FlowSpec(name="minutely", schedule=EveryMinute().spec())
        assert not tutorial.register_flow(spec, project="tutorial", schedule_active=False).schedule_active
        assert tutorial.schedule_due(NOON) == 0

    def test_a_schedule_that_cannot_be_asked_is_logged_and_harms_no_other(
        self, scheduled: Backend, caplog: pytest.LogCaptureFixture
    ) -> None:
        for name, schedule in (("missing", ELSEWHERE), ("broken", Broken().spec())):
            scheduled.register_flow(FlowSpec(name=name, schedule=schedule), project="tutorial")
        needs = FlowSpec(name="needy", schedule=EveryMinute().spec(), parameters=[ParameterSpec(name="limit")])
        scheduled.register_flow(needs, project="tutorial")
        with caplog.at_level("WARNING", logger="penstock"):
            assert scheduled.schedule_due(NOON, ahead=2) == 2
        assert all(name in caplog.text for name in ("missing", "broken", "needy"))
