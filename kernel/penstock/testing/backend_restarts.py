"""What every backend holds to where people restart runs, let them go on, and set states by hand."""

from datetime import timedelta
from itertools import pairwise

import pytest

from penstock import clock, errors, states
from penstock.backends import Backend
from penstock.backends.models import Claim
from penstock.spec import EdgeSpec, FlowSpec, ParameterSpec, TaskSpec
from penstock.testing.backend_cases import BackendCase, line, report


class BackendRestartContract(BackendCase):
    """A part of `BackendContract`."""

    @pytest.fixture
    def failed(self, tutorial: Backend) -> Claim:
        """Return the claim of a run of load → measure (mapped) → total → tell, of which one child of three failed."""
        tasks = [TaskSpec(slug=f"{name}-1", name=name, type="x") for name in ("load", "measure", "total", "tell")]
        edges = [EdgeSpec(upstream=up.slug, downstream=down.slug) for up, down in pairwise(tasks)]
        limit = ParameterSpec(name="limit", required=False, default=3)
        spec = FlowSpec(name="census", tasks=[*tasks, TaskSpec(slug="limit", name="limit", type="x")], edges=edges)
        tutorial.register_flow(spec.model_copy(update={"parameters": [limit]}), project="tutorial")
        tutorial.create_flow_run("tutorial", "census", name="calm-heron")
        (claim,) = tutorial.claim("ann")
        ends = [
            report(states.Running()), report(states.Success(), "limit"), report(states.Success(), "load-1"),
            report(states.Success(), "measure-1", 0), report(states.Failed("no"), "measure-1", 1),
            report(states.Success(), "measure-1", 2), report(states.Mapped(), "measure-1"),
            report(states.TriggerFailed(), "total-1"), report(states.Failed("measure failed")),
        ]  # fmt: skip
        tutorial.report_states(claim.run.id, claim.fence, ends)
        return claim

    def _types(self, backend: Backend, run: str) -> dict[str, str]:
        return {one.name: one.state.type for one in backend.list_task_runs(run)}

    def test_the_plan_of_a_restart_is_shown_first_and_changes_nothing(self, tutorial: Backend, failed: Claim) -> None:
        before = tutorial.get_flow_run(failed.run.id)
        plan = tutorial.restart_flow_run("calm-heron", plan_only=True)
        assert plan.reused == {"load-1": 1, "measure-1": 2}
        assert plan.again == {"measure-1": 1, "total-1": 1, "tell-1": 1}
        assert plan.run == tutorial.get_flow_run(failed.run.id) == before
        assert tutorial.claim("ann") == []

    def test_a_restart_is_another_attempt_that_keeps_what_succeeded(self, tutorial: Backend, failed: Claim) -> None:
        plan = tutorial.restart_flow_run("calm-heron")
        assert plan.again == {"measure-1": 1, "total-1": 1, "tell-1": 1}
        assert (plan.run.state.type, plan.run.attempt, plan.run.end_time) == ("Scheduled", 2, None)
        assert self._types(tutorial, "calm-heron") == {
            "limit": "Success", "load-1": "Success", "measure-1": "Mapped", "measure-1[0]": "Success",
            "measure-1[1]": "Pending", "measure-1[2]": "Success", "total-1": "Pending",
        }  # fmt: skip
        (again,) = tutorial.claim("bob")
        assert (again.run.id, again.run.attempt) == (failed.run.id, 2)
        assert again.fence > failed.fence
        with pytest.raises(errors.LeaseLostError):
            tutorial.report_states(failed.run.id, failed.fence, [report(states.Success())])

    def test_in_another_attempt_even_what_succeeded_may_run_again(self, tutorial: Backend, failed: Claim) -> None:
        tutorial.restart_flow_run(failed.run.id)
        (again,) = tutorial.claim("bob")
        unreadable = [report(states.Running(), "load-1"), report(states.Success("again"), "load-1")]
        tutorial.report_states(again.run.id, again.fence, [report(states.Running()), *unreadable])
        with pytest.raises(errors.ConflictError, match="ended as Success"):
            tutorial.report_states(again.run.id, again.fence, [report(states.Failed(), "load-1")])
        tutorial.report_logs(again.run.id, again.fence, [line(1, "again", attempt=2)])
        tutorial.report_states(again.run.id, again.fence, [report(states.Success())])
        ended = tutorial.get_flow_run("calm-heron")
        assert (ended.state.type, ended.attempt) == ("Success", 2)
        assert [one.type for one in tutorial.list_states("calm-heron")] == [
            "Scheduled", "Submitted", "Running", "Failed", "Scheduled", "Submitted", "Running", "Success",
        ]  # fmt: skip

    def test_tasks_that_are_named_run_again_with_all_that_depends_on_them(
        self, tutorial: Backend, failed: Claim
    ) -> None:
        assert tutorial.restart_flow_run(failed.run.id, tasks=["measure"], plan_only=True).reused == {"load-1": 1}
        plan = tutorial.restart_flow_run(failed.run.id, tasks=["load-1"])
        assert (plan.reused, plan.again) == ({}, {"load-1": 1, "measure-1": 3, "total-1": 1, "tell-1": 1})
        assert set(self._types(tutorial, failed.run.id).values()) == {"Success", "Pending"}
        with pytest.raises(errors.ConflictError, match="Scheduled"):
            tutorial.restart_flow_run(failed.run.id)

    def test_a_task_that_the_flow_has_not_is_named_with_a_near_one(self, tutorial: Backend, failed: Claim) -> None:
        with pytest.raises(errors.UnknownTaskError, match="Did you mean measure"):
            tutorial.restart_flow_run(failed.run.id, tasks=["mesure"])
        with pytest.raises(errors.UnknownTaskError, match="Did you mean total"):
            tutorial.set_state(failed.run.id, states.Success().serialize(), task="totl")
        assert tutorial.get_flow_run(failed.run.id).attempt == 1

    def test_only_a_run_that_has_ended_is_restarted(self, tutorial: Backend, claimed: Claim) -> None:
        with pytest.raises(errors.ConflictError, match=r"Submitted.*cancel it first"):
            tutorial.restart_flow_run(claimed.run.id)

    def test_a_paused_run_is_nobodys_until_somebody_lets_it_go_on(self, tutorial: Backend, claimed: Claim) -> None:
        run = claimed.run.id
        paused = [report(states.Running()), report(states.Paused(), "say-1"), report(states.Paused("Wait for ann"))]
        tutorial.report_states(run, claimed.fence, paused)
        assert tutorial.claim("ann") == []
        assert tutorial.end_lost_runs(claimed.lease_expires.replace(year=2100)) == 0
        assert tutorial.set_state(run, states.Resume().serialize()).state.type == "Resume"
        (again,) = tutorial.claim("bob")
        assert (again.run.id, again.run.attempt) == (run, 1)

    def test_a_run_keeps_the_time_it_was_scheduled_for_whenever_it_goes_on(self, tutorial: Backend) -> None:
        time = clock.now() - timedelta(days=8)
        run = tutorial.create_flow_run("tutorial", "hello", scheduled_time=time).id
        (first,) = tutorial.claim("ann")
        tutorial.report_states(run, first.fence, [report(states.Paused())])
        tutorial.set_state(run, states.Resume().serialize())
        (second,) = tutorial.claim("ann")
        tutorial.report_states(run, second.fence, [report(states.Failed())])
        later = clock.now() + timedelta(hours=1)
        tutorial.set_state(run, states.Scheduled(start_time=later).serialize())
        assert tutorial.claim("ann") == []
        tutorial.set_state(run, states.Failed().serialize())
        again = tutorial.restart_flow_run(run).run
        assert not again.late
        (third,) = tutorial.claim("ann")
        assert first.run.scheduled_time is not None
        assert abs(first.run.scheduled_time - time) < timedelta(milliseconds=1)
        assert {one.run.scheduled_time for one in (first, second, third)} == {first.run.scheduled_time}

    def test_a_task_that_was_set_to_success_by_hand_is_used(self, tutorial: Backend, failed: Claim) -> None:
        run = failed.run.id
        done = states.Success("looked at it").serialize()
        tutorial.set_state(run, done, task="measure[1]")
        tutorial.set_state(run, done, task="tell")
        assert self._types(tutorial, run)["measure-1[1]"] == self._types(tutorial, run)["tell"] == "Success"
        plan = tutorial.restart_flow_run(run)
        assert (plan.reused, plan.again) == ({"load-1": 1, "measure-1": 3, "tell-1": 1}, {"total-1": 1})

    def test_a_task_is_found_by_its_whole_name_before_that_means_a_child(self, tutorial: Backend) -> None:
        names = ("load", "load['price']", "load[0]")
        tasks = [TaskSpec(slug=f"{name}-1", name=name, type="x") for name in names]
        tutorial.register_flow(FlowSpec(name="prices", tasks=tasks), project="tutorial")
        run = tutorial.create_flow_run("tutorial", "prices").id
        for name in names[1:]:
            tutorial.set_state(run, states.Success().serialize(), task=name)
        assert self._types(tutorial, run) == dict.fromkeys(names[1:], "Success")
        assert [one.map_index for one in tutorial.list_task_runs(run)] == [None, None]

    def test_a_child_that_the_run_cannot_have_is_told_which_there_are(self, tutorial: Backend, failed: Claim) -> None:
        run, done = failed.run.id, states.Success().serialize()
        tutorial.restart_flow_run(run)
        (again,) = tutorial.claim("bob")
        ends = [report(states.Mapped(n_map_states=3), "total-1"), report(states.Failed("no"))]
        tutorial.report_states(run, again.fence, ends)
        tutorial.set_state(run, done, task="total[2]")
        before = self._types(tutorial, run)
        for task, told in (
            ("total[3]", r'Task "total" of run "calm-heron" has no child 3: it has 3, from total\[0\] on'),
            ("total[99999999999999999999]", "It has limit, load, measure, tell, total"),
            ("tell[7]", "has no child 7: it has none; set tell itself"),
            ("measure[x]", r'has no task "measure\[x\]".* Did you mean measure'),
        ):
            with pytest.raises(errors.UnknownTaskError, match=told):
                tutorial.set_state(run, done, task=task)
        assert self._types(tutorial, run) == before

    @pytest.mark.parametrize("state", [states.Running(), states.Submitted(), states.Looped()])
    def test_a_task_is_not_set_to_what_only_a_process_brings_about(
        self, tutorial: Backend, failed: Claim, state: states.State
    ) -> None:
        before = self._types(tutorial, failed.run.id)
        with pytest.raises(errors.ConflictError, match=r'Task "tell" .* cannot be set to .* only its process'):
            tutorial.set_state(failed.run.id, state.serialize(), task="tell")
        assert self._types(tutorial, failed.run.id) == before

    def test_a_run_that_is_ended_by_hand_is_taken_from_its_process(self, tutorial: Backend, claimed: Claim) -> None:
        run = claimed.run.id
        assert tutorial.set_state(run, states.Success("it is fine").serialize()).state.type == "Success"
        with pytest.raises(errors.LeaseLostError):
            tutorial.heartbeat(run, claimed.fence)
        assert tutorial.set_state(run, states.Failed("it is not").serialize()).state.type == "Failed"
        assert tutorial.get_flow_run(run).attempt == 1
        assert tutorial.set_state(run, states.Scheduled().serialize()).attempt == 2
        assert [one.run.id for one in tutorial.claim("bob")] == [run]

    @pytest.mark.parametrize("state", [states.Running(), states.Submitted(), states.Scheduled(), states.Paused()])
    def test_what_only_a_process_brings_about_cannot_be_set(
        self, tutorial: Backend, claimed: Claim, state: states.State
    ) -> None:
        with pytest.raises(errors.ConflictError, match=r"cannot be set|cancel it first"):
            tutorial.set_state(claimed.run.id, state.serialize())
        with pytest.raises(errors.ConflictError, match="wait until it has ended"):
            tutorial.set_state(claimed.run.id, state.serialize(), task="say")
        with pytest.raises(errors.ConflictError, match="Did you mean Success"):
            tutorial.set_state(claimed.run.id, {"type": "Sucess"})
        assert tutorial.get_flow_run(claimed.run.id).state.type == "Submitted"
