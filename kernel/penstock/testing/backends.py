"""What every backend holds to, as tests."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from penstock import clock, errors, states
from penstock.backends import Backend
from penstock.backends.models import Claim
from penstock.spec import FlowSpec, ParameterSpec
from penstock.testing.backend_cases import (
    ELSEWHERE,
    JOIN_SECONDS,
    line,
    report,
)
from penstock.testing.backend_documents import BackendDocumentContract
from penstock.testing.backend_restarts import BackendRestartContract
from penstock.testing.backend_work import BackendWorkContract

if TYPE_CHECKING:
    from collections.abc import Callable


class BackendContract(BackendWorkContract, BackendRestartContract, BackendDocumentContract):
    """Subclass it under a name that begins with `Test`, and give the fixture `backend`."""

    # projects

    def test_creating_a_project_twice_gives_the_same_one(self, backend: Backend) -> None:
        first = backend.create_project("tutorial", "lessons")
        again = backend.create_project("tutorial")
        assert (again.id, again.name, again.description) == (first.id, "tutorial", "lessons")

    def test_projects_are_listed_by_name_with_the_number_of_their_flows(self, tutorial: Backend) -> None:
        tutorial.create_project("a")
        assert [(one.name, one.flows) for one in tutorial.list_projects()] == [("a", 0), ("tutorial", 1)]
        assert [one.name for one in tutorial.list_projects(limit=1)] == ["a"]

    def test_an_empty_project_can_be_deleted_and_one_with_flows_cannot(self, tutorial: Backend) -> None:
        tutorial.create_project("a")
        tutorial.delete_project("a")
        with pytest.raises(errors.ConflictError, match="hello"):
            tutorial.delete_project("tutorial")
        assert [one.name for one in tutorial.list_projects()] == ["tutorial"]

    def test_an_unknown_project_is_an_error_that_names_a_near_one(self, tutorial: Backend) -> None:
        calls: list[Callable[[], object]] = [
            lambda: tutorial.delete_project("tutoral"),
            lambda: tutorial.get_flow("tutoral", "hello"),
            lambda: tutorial.list_flows("tutoral"),
            lambda: tutorial.list_flow_runs("tutoral"),
            lambda: tutorial.create_flow_run("tutoral", "hello"),
            lambda: tutorial.register_flow(FlowSpec(name="x"), project="tutoral"),
        ]
        for call in calls:
            with pytest.raises(errors.UnknownProjectError, match="Did you mean tutorial"):
                call()

    @pytest.mark.parametrize("name", ["", "x" * 256])
    def test_a_name_that_is_empty_or_too_long_is_refused(self, tutorial: Backend, name: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: tutorial.create_project(name),
            lambda: tutorial.register_flow(FlowSpec(name="x" * 256), project="tutorial"),
            lambda: tutorial.create_flow_run("tutorial", "hello", name=name),
            lambda: tutorial.create_flow_run("tutorial", "hello", idempotency_key=name),
            lambda: tutorial.claim(name),
        ]
        for call in calls:
            with pytest.raises(errors.ConflictError, match="1 to 255"):
                call()
        assert [one.name for one in tutorial.list_projects()] == ["tutorial"]

    def test_hostile_names_and_texts_come_back_unchanged(self, backend: Backend) -> None:
        name = "'; DROP TABLE projects; -- \" <b> ../ %s grüße 流れ"
        backend.create_project(name, name)
        backend.register_flow(FlowSpec(name=name), project=name)
        run = backend.create_flow_run(name, name, parameters=None, name=name, labels=[name], idempotency_key=name)
        (claim,) = backend.claim(name, [name])
        backend.report_logs(run.id, claim.fence, [line(1, name)])
        assert backend.get_flow_run(name).labels == [name]
        assert backend.list_logs(run.id)[0].message == name
        assert backend.list_projects()[0].description == name

    # flows

    def test_each_registration_is_the_next_version_and_archives_the_one_before(self, tutorial: Backend) -> None:
        second = tutorial.register_flow(FlowSpec(name="hello", labels=["gpu"]), project="tutorial")
        assert (second.version, second.archived, second.labels) == (2, False, ["gpu"])
        assert tutorial.get_flow("tutorial", "hello").id == second.id
        assert tutorial.get_flow("tutorial", "hello", version=1).archived
        assert [one.version for one in tutorial.list_flows("tutorial")] == [2]
        assert [one.version for one in tutorial.list_flows("tutorial", archived=True)] == [2, 1]

    def test_the_same_idempotency_key_registers_once(self, tutorial: Backend) -> None:
        spec = FlowSpec(name="other")
        first = tutorial.register_flow(spec, project="tutorial", idempotency_key="a")
        assert tutorial.register_flow(spec, project="tutorial", idempotency_key="a").id == first.id
        assert tutorial.register_flow(spec, project="tutorial", idempotency_key="b").version == 2

    def test_a_flow_whose_plugins_are_missing_is_kept_and_given_back_unchanged(self, tutorial: Backend) -> None:
        spec = FlowSpec(name="elsewhere", storage=ELSEWHERE, schedule=ELSEWHERE, run_config=ELSEWHERE)
        tutorial.register_flow(spec, project="tutorial")
        assert FlowSpec.model_validate(tutorial.get_flow("tutorial", "elsewhere").spec) == spec
        tutorial.create_flow_run("tutorial", "elsewhere")
        (claim,) = tutorial.claim("ann")
        assert FlowSpec.model_validate(claim.spec) == spec

    def test_an_unknown_flow_or_version_is_an_error_that_names_what_there_is(self, tutorial: Backend) -> None:
        for call in (
            tutorial.get_flow,
            tutorial.create_flow_run,
            tutorial.archive_flow,
            tutorial.list_flow_runs,
        ):
            with pytest.raises(errors.UnknownFlowError, match="Did you mean hello"):
                call("tutorial", "helo")
        with pytest.raises(errors.UnknownFlowError, match="1 to 1"):
            tutorial.get_flow("tutorial", "hello", version=7)

    def test_flows_of_one_name_in_two_projects_are_two_flows(self, tutorial: Backend) -> None:
        tutorial.create_project("other")
        assert tutorial.register_flow(FlowSpec(name="hello"), project="other").version == 1
        run = tutorial.create_flow_run("other", "hello")
        assert tutorial.list_flow_runs("tutorial", "hello") == []
        assert [one.id for one in tutorial.list_flow_runs("other", "hello")] == [run.id]

    def test_no_run_of_an_archived_flow_can_be_created(self, tutorial: Backend) -> None:
        assert tutorial.archive_flow("tutorial", "hello").archived
        with pytest.raises(errors.ConflictError, match="archived"):
            tutorial.create_flow_run("tutorial", "hello")
        assert tutorial.list_flows("tutorial") == []

    # flow runs

    def test_a_run_begins_as_scheduled_for_now_under_a_name_people_can_say(self, tutorial: Backend) -> None:
        before = clock.now()
        run = tutorial.create_flow_run("tutorial", "hello", parent="elsewhere", executor={"type": "threads"})
        assert (run.project, run.flow, run.version, run.attempt) == ("tutorial", "hello", 1, 1)
        assert (run.state.type, run.parent, run.executor) == ("Scheduled", "elsewhere", {"type": "threads"})
        assert run.scheduled_time is not None
        assert before <= run.scheduled_time <= clock.now()
        assert run.name.count("-") == 1
        assert tutorial.get_flow_run(run.id) == tutorial.get_flow_run(run.name) == run
        assert [one.type for one in tutorial.list_states(run.id)] == ["Scheduled"]

    def test_parameters_are_checked_and_kept(self, tutorial: Backend) -> None:
        parameters = [ParameterSpec(name="limit"), ParameterSpec(name="path", required=False, default="/")]
        tutorial.register_flow(FlowSpec(name="census", parameters=parameters), project="tutorial")
        given: dict[str, Any] = {"limit": {"deep": [1, 2.5, None, True, "grüße"]}}
        run = tutorial.create_flow_run("tutorial", "census", parameters=given)
        assert tutorial.get_flow_run(run.id).parameters == given
        for wrong, match in (
            ({}, "limit"),
            ({"limit": 1, "pth": 2}, "Did you mean path?"),
            ({"limit": {1}}, "limit"),
            ({"limit": float("nan")}, "limit"),
        ):
            with pytest.raises(errors.ParameterError, match=match):
                tutorial.create_flow_run("tutorial", "census", parameters=wrong)
        with pytest.raises(errors.ParameterError, match="bytes"):
            tutorial.create_flow_run("tutorial", "census", parameters={"limit": "x" * 300_000})
        assert len(tutorial.list_flow_runs("tutorial")) == 1

    def test_labels_are_the_flows_unless_the_run_has_its_own(self, tutorial: Backend) -> None:
        tutorial.register_flow(FlowSpec(name="labelled", labels=["gpu"]), project="tutorial")
        assert tutorial.create_flow_run("tutorial", "labelled").labels == ["gpu"]
        assert tutorial.create_flow_run("tutorial", "labelled", labels=["b", "a", "a"]).labels == ["a", "b"]
        assert tutorial.create_flow_run("tutorial", "labelled", labels=[]).labels == []

    def test_a_time_without_a_zone_is_refused_and_any_zone_is_kept_as_utc(self, tutorial: Backend) -> None:
        with pytest.raises(errors.ScheduleError, match="no time zone"):
            tutorial.create_flow_run("tutorial", "hello", scheduled_time=datetime(2026, 1, 2))  # noqa: DTZ001 - the case
        moment = datetime.fromisoformat("2026-01-02T03:04:05.678901+05:30")
        run = tutorial.create_flow_run("tutorial", "hello", scheduled_time=moment)
        kept = tutorial.get_flow_run(run.id).scheduled_time
        assert kept == moment
        assert kept is not None
        assert kept.utcoffset() == timedelta(0)

    def test_a_request_is_the_same_in_every_time_zone(self, tutorial: Backend) -> None:
        moment = datetime(2031, 1, 2, 6, tzinfo=UTC)
        first = tutorial.create_flow_run("tutorial", "hello", idempotency_key="k", scheduled_time=moment)
        elsewhere = moment.astimezone(ZoneInfo("Asia/Kathmandu"))
        again = tutorial.create_flow_run("tutorial", "hello", idempotency_key="k", scheduled_time=elsewhere)
        assert (again.id, again.scheduled_time) == (first.id, moment)
        late = moment + timedelta(seconds=1)
        with pytest.raises(errors.ConflictError, match="idempotency key"):
            tutorial.create_flow_run("tutorial", "hello", idempotency_key="k", scheduled_time=late)
        never = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2)))
        with pytest.raises(errors.ScheduleError, match="9999-12-31T23:00:00-02:00"):
            tutorial.create_flow_run("tutorial", "hello", scheduled_time=never)

    def test_an_idempotency_key_makes_one_run_and_refuses_another_request(self, tutorial: Backend) -> None:
        first = tutorial.create_flow_run("tutorial", "hello", idempotency_key="k", labels=["a", "b"])
        assert tutorial.create_flow_run("tutorial", "hello", idempotency_key="k", labels=["b", "a"]).id == first.id
        with pytest.raises(errors.ConflictError, match="idempotency key"):
            tutorial.create_flow_run("tutorial", "hello", idempotency_key="k", labels=["c"])
        tutorial.register_flow(FlowSpec(name="other"), project="tutorial")
        assert tutorial.create_flow_run("tutorial", "other", idempotency_key="k").id != first.id

    def test_runs_are_listed_newest_first_by_project_flow_and_state(self, tutorial: Backend) -> None:
        tutorial.register_flow(FlowSpec(name="other"), project="tutorial")
        ids = [tutorial.create_flow_run("tutorial", name).id for name in ("hello", "other", "hello")]
        tutorial.cancel_flow_run(ids[0])
        assert [one.id for one in tutorial.list_flow_runs()] == ids[::-1]
        assert [one.id for one in tutorial.list_flow_runs("tutorial", "hello")] == [ids[2], ids[0]]
        assert [one.id for one in tutorial.list_flow_runs(flow="other")] == [ids[1]]
        assert [one.id for one in tutorial.list_flow_runs(state="Cancelled")] == [ids[0]]
        assert [one.id for one in tutorial.list_flow_runs(limit=1)] == [ids[2]]
        with pytest.raises(errors.ConflictError, match="Did you mean Cancelled"):
            tutorial.list_flow_runs(state="canceled")

    def test_asking_for_a_state_finds_those_that_are_of_its_kind(self, tutorial: Backend, claimed: Claim) -> None:
        tutorial.report_states(claimed.run.id, claimed.fence, [report(states.TimedOut("too slow"))])
        assert [one.id for one in tutorial.list_flow_runs(state="Failed")] == [claimed.run.id]
        assert tutorial.list_flow_runs(state="Success") == []

    def test_an_unknown_run_is_an_error_that_names_a_near_one(self, tutorial: Backend) -> None:
        tutorial.create_flow_run("tutorial", "hello", name="brisk-otter")
        asked: list[Callable[[str], object]] = [
            tutorial.get_flow_run, tutorial.list_task_runs, tutorial.wait_for_flow_run, tutorial.cancel_flow_run,
            tutorial.delete_flow_run, tutorial.list_states, tutorial.list_logs,
        ]  # fmt: skip
        for call in asked:
            with pytest.raises(errors.UnknownRunError, match="Did you mean brisk-otter"):
                call("brisk-oter")

    def test_an_ambiguous_name_is_an_error_that_lists_the_ids(self, tutorial: Backend) -> None:
        ids = [tutorial.create_flow_run("tutorial", "hello", name="twin").id for _ in range(2)]
        with pytest.raises(errors.UnknownRunError) as caught:
            tutorial.get_flow_run("twin")
        assert all(one in str(caught.value) for one in ids)
        assert tutorial.get_flow_run(ids[0]).id == ids[0]

    def test_waiting_ends_when_the_run_does(self, tutorial: Backend, claimed: Claim) -> None:
        found: list[str] = []
        waiter = threading.Thread(target=lambda: found.append(tutorial.wait_for_flow_run("brisk-otter").state.type))
        waiter.start()
        tutorial.report_states(claimed.run.id, claimed.fence, [report(states.Running())])
        tutorial.report_states(claimed.run.id, claimed.fence, [report(states.Success())])
        waiter.join(JOIN_SECONDS)
        assert found == ["Success"]

    def test_waiting_gives_up_after_its_timeout(self, tutorial: Backend, claimed: Claim) -> None:
        with pytest.raises(TimeoutError, match="Submitted"):
            tutorial.wait_for_flow_run(claimed.run.id, timeout=0.01)

    def test_a_run_that_nobody_took_is_cancelled_at_once(self, tutorial: Backend) -> None:
        run = tutorial.create_flow_run("tutorial", "hello")
        cancelled = tutorial.cancel_flow_run(run.id)
        assert (cancelled.state.type, cancelled.end_time) == ("Cancelled", cancelled.state.timestamp)
        assert tutorial.cancel_flow_run(run.id) == cancelled
        assert tutorial.claim("ann") == []

    def test_a_run_under_way_is_cancelled_through_its_agent(self, tutorial: Backend, claimed: Claim) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_states(run, fence, [report(states.Running()), report(states.Running(), "say-1")])
        assert tutorial.heartbeat(run, fence).command == "continue"
        assert tutorial.cancel_flow_run(run).state.type == "Cancelling"
        assert tutorial.heartbeat(run, fence).command == "cancel"
        tutorial.report_states(run, fence, [report(states.Running("still at it"))])
        assert tutorial.get_flow_run(run).state.type == "Cancelling"
        tutorial.report_states(run, fence, [report(states.Cancelled("stopped"))])
        assert tutorial.cancel_flow_run(run).state.type == "Cancelled"
        assert [one.state.type for one in tutorial.list_task_runs(run)] == ["Cancelled"]
        assert [one.type for one in tutorial.list_states(run)] == [
            "Scheduled", "Submitted", "Running", "Cancelling", "Cancelled",
        ]  # fmt: skip

    def test_a_run_is_deleted_with_all_that_belongs_to_it_unless_it_is_under_way(
        self, tutorial: Backend, claimed: Claim
    ) -> None:
        run, fence = claimed.run.id, claimed.fence
        tutorial.report_states(run, fence, [report(states.Running()), report(states.Success(), "say-1")])
        tutorial.report_logs(run, fence, [line(1)])
        with pytest.raises(errors.ConflictError, match="ann"):
            tutorial.delete_flow_run(run)
        tutorial.report_states(run, fence, [report(states.Success())])
        tutorial.delete_flow_run(run)
        with pytest.raises(errors.UnknownRunError):
            tutorial.get_flow_run(run)
