"""What is set for flows, limits, values, notes and artifacts, on the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock import get_backend
from penstock.backends.models import Document

Penstock = Callable[..., Any]


def test_what_is_set_for_a_flow_is_shown_and_taken_back(penstock: Penstock, registered: str) -> None:
    done = penstock("flows", "set", registered, "--schedule", "every 10 minutes", "--label", "gpu", "-p", "limit=7")
    assert done.out == "For all versions of tutorial/census these are set: labels, parameters, schedule\n"
    options = ("--executor", "threads", "-o", "max_workers=2", "--run-config", 'env={"A": "1"}', "-p", "bad=1")
    assert penstock("flows", "set", registered, *options, "--on-lost", "reschedule").code == 0
    found = json.loads(penstock("flows", "show", registered, "--json").out)
    schedule = found["group"].pop("schedule")
    assert (schedule["type"], schedule["distribution"]) == ("interval", "penstock-schedulers")
    assert found["group"] == {
        "labels": ["gpu"], "parameters": {"limit": 7, "bad": 1}, "executor": {"type": "threads", "max_workers": 2},
        "run_config": {"env": {"A": "1"}}, "on_lost": "reschedule",
    }  # fmt: skip
    shown = penstock("flows", "show", registered).out
    assert "executor, labels, on_lost, parameters, run_config, schedule" in shown
    assert "interval" in shown
    assert "interval" in penstock("flows", "list").out
    run = json.loads(penstock("run", "--flow", registered, "--no-wait", "--json").out)
    assert (run["labels"], run["parameters"]) == (["gpu"], {"limit": 7, "bad": 1})
    done = penstock("flows", "reset", registered, "labels", "schedule")
    assert done.out == "For all versions of tutorial/census these are set: executor, on_lost, parameters, run_config\n"
    assert penstock("flows", "reset", registered).out.endswith("these are set: none\n")
    assert json.loads(penstock("flows", "show", registered, "--json").out)["group"] == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Say what to set: --schedule"),
        (("-p", "limt=3"), 'has no parameter "limt". Did you mean limit?'),
        (("--schedule", "every now and then"), "No interval is written"),
        (("--run-config", "env"), "An option is given as NAME=VALUE"),
        (("-o", "max_workers=2"), "Say with --executor what the options given with -o are for"),
        (("--executor", "treads"), "Did you mean threads?"),
        (("--executor", "threads", "-o", "workers=2"), "workers"),
        (("--run-config", "nonsense=1"), "nonsense"),
    ],
)
def test_what_cannot_be_set_is_refused(penstock: Penstock, registered: str, words: tuple[str, ...], told: str) -> None:
    done = penstock("flows", "set", registered, *words)
    assert done.code == 2
    assert told in done.err
    assert json.loads(penstock("flows", "show", registered, "--json").out)["group"] == {}


def test_a_schedule_that_gives_no_value_for_what_is_required_is_refused(penstock: Penstock, tmp_path: Path) -> None:
    flow = 'from penstock import Flow, Parameter\nwith Flow("need") as flow:\n    Parameter("limit")()\n'
    (tmp_path / "need.py").write_text(flow, encoding="utf-8")
    assert penstock("register", str(tmp_path / "need.py"), "--project", "tutorial").code == 0
    assert "limit" in penstock("flows", "set", "tutorial/need", "--schedule", "every hour").err
    assert penstock("flows", "set", "tutorial/need", "--schedule", "every hour", "-p", "limit=3").code == 0
    assert "limit" in penstock("flows", "reset", "tutorial/need", "parameters").err
    assert json.loads(penstock("flows", "show", "tutorial/need", "--json").out)["group"]["parameters"] == {"limit": 3}


def test_what_is_not_set_cannot_be_reset(penstock: Penstock, registered: str) -> None:
    done = penstock("flows", "reset", registered, "label")
    assert (done.code, "label is not set for tutorial/census" in done.err) == (2, True)


def test_limits_are_set_listed_and_deleted(penstock: Penstock) -> None:
    assert penstock("limits", "set", "tag", "gpu", "1").out == (
        'At most 1 tasks with the tag "gpu" at once; 0 are under way\n'
    )
    penstock("limits", "set", "label", "database", "4")
    (label, tag) = json.loads(penstock("limits", "list", "--json").out)
    assert (label["scope"], label["name"], label["data"]) == ("label", "database", {"slots": 4, "used": 0})
    assert penstock("limits", "list").out.splitlines()[1].split() == ["label", "database", "4", "0"]
    assert tag["name"] == "gpu"
    assert penstock("limits", "set", "task", "gpu", "1").code == 2
    assert penstock("limits", "set", "tag", "gpu", "-1").code == 2
    assert penstock("limits", "delete", "tag", "gpu").out == 'The tag "gpu" has no limit any more\n'
    assert penstock("limits", "delete", "tag", "gpu").out == 'The tag "gpu" had no limit\n'


def test_keys_are_set_read_listed_and_deleted(penstock: Penstock) -> None:
    assert penstock("kv", "set", "cursor", '{"page": 2}').out == 'Set "cursor"\n'
    penstock("kv", "set", "name", "not JSON")
    assert json.loads(penstock("kv", "get", "cursor").out) == {"page": 2}
    assert json.loads(penstock("kv", "get", "name").out) == "not JSON"
    assert [one["name"] for one in json.loads(penstock("kv", "list", "--json").out)] == ["cursor", "name"]
    assert '{"page": 2}' in penstock("kv", "list").out
    done = penstock("kv", "get", "cursr")
    assert (done.code, 'no key "cursr". Did you mean cursor?' in done.err) == (2, True)
    assert penstock("kv", "delete", "cursor").out == 'Deleted "cursor"\n'
    assert penstock("kv", "delete", "cursor").out == 'There was no key "cursor"\n'


def test_notes_and_artifacts_of_a_run(penstock: Penstock, registered: str) -> None:
    run = json.loads(penstock("run", "--flow", registered, "--name", "brisk-otter", "--no-wait", "--json").out)
    assert penstock("runs", "note", "brisk-otter", "the source was down").out == "Noted at brisk-otter\n"
    penstock("runs", "note", run["id"], "it is up again")
    notes = json.loads(penstock("runs", "note", "brisk-otter", "--json").out)
    assert [one["data"]["text"] for one in notes] == ["the source was down", "it is up again"]
    assert "the source was down" in penstock("runs", "note", "brisk-otter").out
    made: list[dict[str, Any]] = [
        {"type": "markdown", "markdown": "# Long " + "x" * 100, "task": "rank-1"},
        {"type": "table", "columns": ["a", "b"], "rows": [[1, 2]]},
        {"type": "progress", "progress": 50},
        {"type": "link", "link": "https://example.com"},
    ]
    backend = get_backend()
    for data in made:
        backend.put_document(Document(kind="artifact", scope="brisk-otter", name=data["type"], data=data))
    backend.close()
    shown = penstock("runs", "artifacts", "brisk-otter").out
    assert "1 rows of a, b" in shown
    assert "50 %" in shown
    assert "rank-1" in shown
    assert len(json.loads(penstock("runs", "artifacts", "brisk-otter", "--json").out)) == 4
    assert penstock("runs", "note", "brisk-oter", "x").code == 2
