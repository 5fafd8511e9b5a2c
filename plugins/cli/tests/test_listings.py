import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_projects_are_created_listed_and_deleted(penstock: Callable[..., Any]) -> None:
    assert penstock("projects", "create", "tutorial").out == 'Created the project "tutorial"\n'
    assert penstock("projects", "create", "tutorial").out == 'The project "tutorial" is there already\n'
    header, row = penstock("projects", "list").out.splitlines()
    assert header.split() == ["NAME", "FLOWS", "CREATED", "DESCRIPTION"]
    assert row.startswith("tutorial  0")
    assert penstock("projects", "delete", "tutorial").out == 'Deleted the project "tutorial"\n'
    assert penstock("projects", "list").out == ""


def test_a_project_by_which_no_flow_could_be_named_is_not_made(penstock: Callable[..., Any], census: Path) -> None:
    for arguments in (["projects", "create", "a/b"], ["register", str(census), "--project", "a/b"]):
        done = penstock(*arguments)
        assert done.code == 2
        assert "a project has no slash, as flows are named PROJECT/NAME; found 'a/b'. Try: a-b" in done.err
    assert penstock("projects", "list").out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["agents", "list", "--limit", "9" * 20],
        ["schedule", "preview", "@daily", "-n", "9" * 20],
        ["storage", "gc", "--older-than", "1e300"],
        ["storage", "gc", "--older-than", "nan"],
        ["backend", "prune", "--older-than", "1d", "--keep-last", "9" * 20],
        ["run", "--flow", "a/b", "--at", "9999-12-31T23:59-14:00"],
    ],
)
def test_a_number_beyond_all_measure_is_bad_usage(penstock: Callable[..., Any], arguments: list[str]) -> None:
    done = penstock(*arguments)
    assert (done.code, done.out) == (2, "")
    assert arguments[-2] in done.err


def test_a_project_with_flows_is_not_deleted(penstock: Callable[..., Any], registered: str) -> None:
    done = penstock("projects", "delete", "tutorial")
    assert done.code == 2
    assert "census" in done.err


def test_an_unknown_project_is_refused_with_the_nearest_one(penstock: Callable[..., Any], registered: str) -> None:
    for arguments in (
        ["projects", "delete", "tutoral"],
        ["flows", "list", "--project", "tutoral"],
        ["runs", "list", "--project", "tutoral"],
    ):
        done = penstock(*arguments)
        assert done.code == 2
        assert done.err == 'penstock: There is no project "tutoral". Did you mean tutorial?\n'


@pytest.mark.parametrize(
    "arguments",
    [
        ["flows", "show"], ["flows", "pause"], ["flows", "unpause"], ["flows", "archive"],
        ["run", "--flow"], ["runs", "list", "--flow"], ["schedule", "preview"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_unknown_flow_is_refused_with_the_nearest_one(
    penstock: Callable[..., Any], registered: str, arguments: list[str]
) -> None:
    done = penstock(*arguments, "tutorial/cnsus")
    assert done.code == 2
    assert 'no flow "cnsus"' in done.err
    assert "Did you mean census?" in done.err


@pytest.mark.parametrize("command", ["show", "logs", "wait", "cancel", "delete"])
def test_an_unknown_run_is_refused(penstock: Callable[..., Any], command: Any) -> None:
    done = penstock("runs", command, "brisk-otter")
    assert done.code == 2
    assert 'There is no run "brisk-otter"' in done.err


def test_a_flow_that_is_not_named_with_its_project_is_bad_usage(penstock: Callable[..., Any], registered: str) -> None:
    done = penstock("flows", "show", "census")
    assert done.code == 2
    assert "A registered flow is named PROJECT/NAME; found 'census'" in done.err


def test_flows_are_listed_and_shown(penstock: Callable[..., Any], registered: str) -> None:
    assert penstock("flows", "list").out.splitlines()[1].startswith("tutorial/census  1")
    shown = penstock("flows", "show", registered).out
    assert "parameters  bad=-1, limit=3" in shown
    assert "measure-1 (mapped)  bad, find-1  1" in " ".join(shown.split("\n")).replace("   ", "  ")
    (listed,) = json.loads(penstock("flows", "list", "--json").out)
    assert json.loads(penstock("flows", "show", registered, "--json").out) == listed
    assert {"id", "name", "project", "version", "created", "archived", "schedule_active", "labels", "spec"} <= set(
        listed
    )


def test_a_flow_is_paused_goes_on_and_is_archived(penstock: Callable[..., Any], registered: str) -> None:
    assert penstock("flows", "pause", registered).out.startswith("The schedule of tutorial/census is paused")
    assert penstock("flows", "unpause", registered).out.startswith("The schedule of tutorial/census goes on")
    assert penstock("flows", "archive", registered).out.startswith("Archived version 1 of tutorial/census")
    assert penstock("flows", "list").out == ""
    assert "archived" in penstock("flows", "list", "--archived").out
    assert penstock("run", "--flow", registered).code == 2


def test_agents_are_listed_with_when_they_were_last_seen(penstock: Callable[..., Any], reporter: Any) -> None:
    assert json.loads(penstock("agents", "list", "--json").out) == []
    reporter.backend.claim("first", ["gpu"])
    row = penstock("agents", "list").out.splitlines()[1]
    assert row.startswith("first  gpu     0.")
    assert "s ago" in row


def test_limits_hold(penstock: Callable[..., Any]) -> None:
    for name in ("a", "b", "c"):
        penstock("projects", "create", name)
    assert [one["name"] for one in json.loads(penstock("projects", "list", "--json", "--limit", "2").out)] == ["a", "b"]
