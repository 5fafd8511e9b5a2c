import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_it_says_what_it_did_and_that_it_created_the_project(penstock: Callable[..., Any], census: Path) -> None:
    assert penstock("register", "census.py", "--project", "tutorial").out.splitlines() == [
        'Created the project "tutorial"',
        "Registered tutorial/census, version 1",
        "Run it: penstock run --flow tutorial/census --wait",
    ]


def test_what_is_unchanged_is_left_as_it_is(penstock: Callable[..., Any], registered: str, home: Path) -> None:
    stored = list((home / "flows").rglob("*"))
    assert penstock("register", "census.py", "--project", "tutorial").out == "Unchanged tutorial/census, version 1\n"
    assert list((home / "flows").rglob("*")) == stored


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda path: path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8"), ()),
        (lambda path: None, ("--label", "gpu")),
        (lambda path: None, ("--force",)),
    ],
    ids=["source", "labels", "force"],
)
def test_what_has_changed_becomes_a_new_version(
    penstock: Callable[..., Any], registered: str, census: Path, change: Callable[[Path], object], options: Any
) -> None:
    change(census)
    done = penstock("register", "census.py", "--project", "tutorial", *options)
    assert done.out.startswith("Registered tutorial/census, version 2\n")


def test_an_archived_flow_comes_back(penstock: Callable[..., Any], registered: str) -> None:
    penstock("flows", "archive", registered)
    assert "version 2" in penstock("register", "census.py", "--project", "tutorial").out


def test_an_unchanged_flow_can_still_have_its_schedule_paused(penstock: Callable[..., Any], registered: str) -> None:
    penstock("register", "census.py", "--project", "tutorial", "--no-schedule")
    (flow,) = json.loads(penstock("flows", "list", "--json").out)
    assert (flow["version"], flow["schedule_active"]) == (1, False)


def test_a_folder_stands_for_its_files_and_a_flow_can_be_chosen(
    penstock: Callable[..., Any], census: Path, greeting: Path
) -> None:
    done = penstock("register", ".", "--project", "tutorial", "--json")
    assert {(one["name"], one["action"]) for one in json.loads(done.out)} == {
        ("census", "registered"),
        ("greeting", "registered"),
    }
    done = penstock("register", ".", "--project", "other", "--flow", "greeting", "--json")
    assert [one["name"] for one in json.loads(done.out)] == ["greeting"]


def test_quiet_says_nothing(penstock: Callable[..., Any], census: Path) -> None:
    assert penstock("register", "census.py", "--project", "tutorial", "-q").out == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["census.py", "--project", "p", "--flow", "cnsus"], 'census.py defines no flow "cnsus". Did you mean census?'),
        (["census.py"], "--project"),
        (["census.py", "--project", ""], "The name of a project is empty"),
        (["census.py", "--project", "p", "--label", ""], "A label is empty; leave --label out for none"),
        (["nowhere.py", "--project", "p"], "nowhere.py cannot be read"),
        (["empty.py", "--project", "p"], "empty.py defines no flow at module level"),
        (
            ["census.py", "same.py", "--project", "p"],
            'same.py defines the flow "census", which another of the files defines',
        ),
        (["census.py", "broken.py", "--project", "p"], "broken.py cannot be loaded (line 1): SyntaxError"),
    ],
)
def test_bad_input_is_refused_before_anything_is_done(
    penstock: Callable[..., Any], census: Path, arguments: list[str], complaint: str
) -> None:
    Path("empty.py").touch()
    Path("same.py").write_text(census.read_text(encoding="utf-8"), encoding="utf-8")
    Path("broken.py").write_text("with Flow(\n", encoding="utf-8")
    done = penstock("register", *arguments)
    assert done.code == 2
    assert complaint in done.err
    assert json.loads(penstock("projects", "list", "--json").out) == []


def test_a_project_is_not_created_where_a_setting_forbids_it(
    penstock: Callable[..., Any], census: Path, home: Path
) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[flows]\ncreate_project = false\n", encoding="utf-8")
    done = penstock("register", "census.py", "--project", "tutorial", "--backend", f"sqlite:///{home / 'p.db'}")
    assert done.code == 2
    assert 'There is no project "tutorial"' in done.err
