"""What every backend holds to where people set things for flows, limit them, and leave documents."""

from datetime import timedelta
from typing import Any

import pytest

from penstock import clock, errors, settings, states
from penstock.backends import Backend
from penstock.backends.models import Claim, Document
from penstock.hooks.kinds import KindSpec
from penstock.spec import FlowSpec, ParameterSpec
from penstock.testing.backend_cases import BackendCase, EveryMinute, line, report


def document(kind: str, name: str, scope: str = "", /, **data: Any) -> Document:
    """Return a document."""
    return Document(kind=kind, name=name, scope=scope, data=data)


class BackendDocumentContract(BackendCase):
    """A part of `BackendContract`."""

    # what all documents have in common

    def test_a_document_is_kept_in_the_place_of_the_one_before(self, backend: Backend) -> None:
        first = backend.put_document(document("value", "cursor", value={"page": 1}))
        assert first.updated is not None
        backend.put_document(document("value", "cursor", value={"page": 2}))
        backend.put_document(document("value", "another", value=None))
        found = backend.list_documents("value")
        assert [(one.name, one.data["value"]) for one in found] == [("another", None), ("cursor", {"page": 2})]
        assert [one.name for one in backend.list_documents("value", name="cursor")] == ["cursor"]
        assert backend.delete_document("value", "cursor")
        assert not backend.delete_document("value", "cursor")
        assert [one.name for one in backend.list_documents("value")] == ["another"]

    def test_a_kind_that_only_a_plugin_knows_is_kept_as_it_is(self, backend: Backend) -> None:
        backend.put_document(document("acme-lineage", "sales", "warehouse", tables=["a", "b"], ü=1.5))
        (found,) = backend.list_documents("acme-lineage", "warehouse")
        assert found.data == {"tables": ["a", "b"], "ü": 1.5}
        assert backend.list_documents("acme-lineage", "elsewhere") == []

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (document("No Kind", "x"), "no kind of documents"),
            (document("value", "x"), "value: Field required"),
            (document("value", "x", "tutorial", value=1), "has no scope"),
            (document("value", "x", value="ü" * 300_000), "at most 262144"),
            (document("acme-set", "x", values={1, 2}), "no JSON"),
            (document("value", "x", value=float("nan")), "no JSON"),
            (document("limit", "gpu", "tag", slots=-1), "slots: .*greater than or equal to 0"),
            (document("limit", "gpu", "task", slots=1), "for a label or for a tag"),
            (document("flow-group", "hello", "tutorial", lables=["gpu"]), "lables: Extra inputs"),
        ],
    )
    def test_what_does_not_fit_its_kind_is_refused(self, tutorial: Backend, wrong: Document, told: str) -> None:
        with pytest.raises(errors.DocumentError, match=told):
            tutorial.put_document(wrong)
        assert tutorial.list_documents(wrong.kind) == []

    def test_a_document_about_nothing_is_refused(self, tutorial: Backend) -> None:
        with pytest.raises(errors.UnknownFlowError):
            tutorial.put_document(document("flow-group", "helo", "tutorial"))
        with pytest.raises(errors.UnknownProjectError):
            tutorial.put_document(document("flow-group", "hello", "tutoria"))
        with pytest.raises(errors.UnknownRunError):
            tutorial.put_document(document("note", "n", "no-such-run", text="?"))

    # artifacts and notes

    def test_what_is_left_beside_a_run_goes_with_it(self, tutorial: Backend) -> None:
        run = tutorial.create_flow_run("tutorial", "hello", name="brisk-otter")
        tutorial.put_document(document("artifact", "report", run.id, type="markdown", markdown="# Ü <b>"))
        tutorial.put_document(document("artifact", "plot", "brisk-otter", type="image", image="s3://bucket/plot.png"))
        tutorial.put_document(document("note", "ann", "brisk-otter", text="Looked at it", author="ann"))
        assert [one.name for one in tutorial.list_documents("artifact", "brisk-otter")] == ["plot", "report"]
        (found,) = tutorial.list_documents("artifact", run.id, name="report")
        assert (found.scope, found.data) == (run.id, {"type": "markdown", "markdown": "# Ü <b>"})
        assert tutorial.delete_document("artifact", "plot", "brisk-otter")
        tutorial.delete_flow_run(run.id)
        assert tutorial.list_documents("note") == tutorial.list_documents("artifact") == []

    @pytest.mark.parametrize(
        "data",
        [
            {"type": "link", "link": "javascript:alert(1)"},
            {"type": "link", "link": " JavaScript:alert(1)"},
            {"type": "image", "image": "data:text/html,<script>"},
            {"type": "progress", "progress": 101},
            {"type": "table", "columns": ["a"], "rows": "b"},
            {"type": "applet"},
            {},
        ],
    )
    def test_an_artifact_that_nobody_should_see_is_refused(self, tutorial: Backend, data: dict[str, Any]) -> None:
        run = tutorial.create_flow_run("tutorial", "hello")
        with pytest.raises(errors.DocumentError, match='The artifact "a" cannot be kept'):
            tutorial.put_document(document("artifact", "a", run.id, **data))

    # flow groups

    def test_what_is_set_for_a_flow_survives_its_versions(self, tutorial: Backend) -> None:
        limit = ParameterSpec(name="limit", required=False, default=3)
        spec = FlowSpec(name="census", parameters=[limit], labels=["cpu"], tasks=[])
        tutorial.register_flow(spec, project="tutorial")
        options = {"env": {"A": "1"}, "working_dir": "/srv"}
        chosen = {"labels": ["gpu", "big"], "parameters": {"limit": 7, "gone": 1}, "executor": {"type": "threads"}}
        tutorial.put_document(document("flow-group", "census", "tutorial", run_config=options, **chosen))
        config = KindSpec(type="local", options={"env": {"A": "0", "B": "2"}})
        again = spec.model_copy(update={"run_config": config})
        found = tutorial.register_flow(again, project="tutorial")
        assert (found.version, found.labels, found.group["parameters"]["limit"]) == (2, ["big", "gpu"], 7)
        run = tutorial.create_flow_run("tutorial", "census")
        assert (run.parameters, run.labels, run.executor) == ({"limit": 7}, ["big", "gpu"], {"type": "threads"})
        asked = tutorial.create_flow_run(
            "tutorial", "census", parameters={"limit": 1}, labels=["gpu"], executor={"type": "processes"}
        )
        assert (asked.parameters, asked.labels, asked.executor) == ({"limit": 1}, ["gpu"], {"type": "processes"})
        (claim,) = tutorial.claim("ann", ["gpu"])
        merged = {"env": {"A": "1", "B": "2"}, "working_dir": "/srv"}
        assert claim.spec["run_config"] == {"type": "local", "options": merged, "distribution": None}
        assert tutorial.delete_document("flow-group", "census", "tutorial")
        assert tutorial.get_flow("tutorial", "census").labels == ["cpu"]
        assert tutorial.create_flow_run("tutorial", "census").parameters == {}

    def test_a_required_parameter_may_be_set_for_the_flow(self, tutorial: Backend) -> None:
        spec = FlowSpec(name="census", parameters=[ParameterSpec(name="limit", required=True)])
        tutorial.register_flow(spec, project="tutorial")
        with pytest.raises(errors.ParameterError, match="limit"):
            tutorial.create_flow_run("tutorial", "census")
        tutorial.put_document(document("flow-group", "census", "tutorial", parameters={"limit": 7}))
        assert tutorial.create_flow_run("tutorial", "census").parameters == {"limit": 7}

    @pytest.mark.usefixtures("_schedules")
    def test_another_schedule_begins_now_and_the_one_before_ends(self, tutorial: Backend) -> None:
        every = EveryMinute().spec()
        assert tutorial.schedule_due() == 0
        tutorial.put_document(document("flow-group", "hello", "tutorial", schedule=every.model_dump()))
        assert tutorial.schedule_due(ahead=3) == 3
        tutorial.put_document(document("flow-group", "hello", "tutorial", schedule=every.model_dump(), labels=["gpu"]))
        assert tutorial.schedule_due(ahead=3) >= 2  # made anew, but for one that is due within the minute
        assert [run.labels for run in tutorial.list_flow_runs()].count(["gpu"]) >= 2
        assert len(tutorial.list_flow_runs()) == 3  # it is the same schedule
        asked = tutorial.create_flow_run("tutorial", "hello")
        assert tutorial.delete_document("flow-group", "hello", "tutorial")
        assert [run.id for run in tutorial.list_flow_runs()] == [asked.id]
        assert tutorial.schedule_due() == 0

    # limits

    def test_a_label_with_a_limit_is_claimed_as_often_as_it_has_slots(self, tutorial: Backend) -> None:
        tutorial.put_document(document("limit", "db", "label", slots=2))
        for number in range(5):
            tutorial.create_flow_run("tutorial", "hello", name=f"db-{number}", labels=["db", "any"])
        tutorial.create_flow_run("tutorial", "hello", name="free", labels=["any"])
        first = tutorial.claim("ann", ["db", "any"], limit=9)
        assert sorted(claim.run.name for claim in first) == ["db-0", "db-1", "free"]
        assert tutorial.claim("bob", ["db", "any"], limit=9) == []
        (limit,) = tutorial.list_documents("limit")
        assert limit.data == {"slots": 2, "used": 2}
        tutorial.report_states(first[0].run.id, first[0].fence, [report(states.Success())])
        (second,) = tutorial.claim("bob", ["db", "any"], limit=9)
        assert second.run.name == "db-2"
        tutorial.delete_document("limit", "db", "label")
        assert len(tutorial.claim("bob", ["db", "any"], limit=9)) == 2

    def test_a_slot_is_free_again_when_its_lease_expires(self, tutorial: Backend) -> None:
        tutorial.put_document(document("limit", "db", "label", slots=1))
        for _ in range(2):
            tutorial.create_flow_run("tutorial", "hello", labels=["db"])
        tutorial.claim("ann", ["db"], lease_seconds=-1)
        assert len(tutorial.claim("bob", ["db"])) == 1

    def test_a_limit_of_no_slots_lets_nothing_begin(self, tutorial: Backend) -> None:
        tutorial.put_document(document("limit", "db", "label", slots=0))
        tutorial.create_flow_run("tutorial", "hello", labels=["db"])
        assert tutorial.claim("ann", ["db"]) == []

    def test_a_tag_with_a_limit_lets_as_many_tasks_run_as_it_has_slots(self, tutorial: Backend) -> None:
        tutorial.put_document(document("limit", "gpu", "tag", slots=2))
        for _ in range(2):
            tutorial.create_flow_run("tutorial", "hello")
        one, two = tutorial.claim("ann", limit=2)

        def begin(claim: Claim, index: int) -> None:
            asked = report(states.Running(), "say-1", index).model_copy(update={"tags": ["gpu", "other"]})
            tutorial.report_states(claim.run.id, claim.fence, [asked])

        begin(one, 0)
        begin(one, 0)  # it has its slot
        begin(two, 0)
        with pytest.raises(errors.LimitReachedError, match=r'"say-1\[1\]" has to wait: all slots of the tag "gpu"'):
            begin(two, 1)
        assert [run.name for run in tutorial.list_task_runs(two.run.id)] == ["say-1[0]"]
        assert tutorial.list_documents("limit")[0].data == {"slots": 2, "used": 2}
        tutorial.report_states(one.run.id, one.fence, [report(states.Success(), "say-1", 0)])
        begin(two, 1)
        tutorial.report_states(two.run.id, two.fence, [report(states.Failed())])
        assert tutorial.list_documents("limit")[0].data == {"slots": 2, "used": 0}

    # lost runs

    @pytest.mark.parametrize("where", ["setting", "flow"])
    def test_a_lost_run_is_rescheduled_three_times_if_it_shall(self, tutorial: Backend, where: str) -> None:
        if where == "flow":
            tutorial.put_document(document("flow-group", "hello", "tutorial", on_lost="reschedule"))
        said = {"scheduler": {"on_lost": "reschedule"}} if where == "setting" else {}
        tutorial.create_flow_run("tutorial", "hello", name="brisk-otter")
        with settings.override(said):
            for attempt in range(1, 4):
                (claim,) = tutorial.claim("ann")
                assert claim.run.attempt == attempt
                tutorial.report_states(claim.run.id, claim.fence, [report(states.Running())])
                assert tutorial.end_lost_runs(clock.now() + timedelta(seconds=60)) == 1
                found = tutorial.get_flow_run("brisk-otter")
                assert found.state.type == "Scheduled"
                assert (found.state.message or "").startswith(f"Rescheduled {attempt} of 3, as it was lost: neither")
                with pytest.raises(errors.LeaseLostError):
                    tutorial.report_logs(claim.run.id, claim.fence, [line(1)])
            (claim,) = tutorial.claim("ann")
            assert tutorial.end_lost_runs(clock.now() + timedelta(seconds=60)) == 1
        found = tutorial.get_flow_run("brisk-otter")
        assert (found.state.type, found.attempt) == ("Failed", 4)
        assert "Lost once more, after it was rescheduled 3 times" in (found.state.message or "")

    def test_a_lost_run_that_was_to_stop_is_not_rescheduled(self, tutorial: Backend) -> None:
        tutorial.put_document(document("flow-group", "hello", "tutorial", on_lost="reschedule"))
        tutorial.create_flow_run("tutorial", "hello", name="brisk-otter")
        tutorial.claim("ann")
        tutorial.cancel_flow_run("brisk-otter")
        assert tutorial.end_lost_runs(clock.now() + timedelta(seconds=60)) == 1
        assert tutorial.get_flow_run("brisk-otter").state.type == "Cancelled"
