import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def broken_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution whose plugin needs a module that is not there."""
    site = tmp_path / "site"
    info = site / "acme_penstock-1.2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-penstock\nVersion: 1.2.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[penstock]\nvault = acme_penstock\n", encoding="utf-8")
    (site / "acme_penstock.py").write_text("\n\nimport hvac_that_is_not_there\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))


def in_a_new_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock_cli", *arguments], check=False, text=True, capture_output=True
    )


def test_plugins_are_listed_with_what_they_offer(penstock: Callable[..., Any]) -> None:
    for arguments in (["plugins"], ["plugins", "list"]):
        header, *rows = penstock(*arguments).out.splitlines()
        assert header.split() == ["NAME", "DISTRIBUTION", "OFFERS", "LOADED"]
        assert any(
            row.startswith("executors") and "executor: asyncio, processes, threads" in row and row.endswith(" ms")
            for row in rows
        )
    known = {one["name"]: one for one in json.loads(penstock("plugins", "list", "--json").out)}
    assert known["executors"]["offers"] == {"executor": ["asyncio", "processes", "threads"]}
    assert len(json.loads(penstock("plugins", "list", "--json", "--limit", "2").out)) == 2


def test_a_broken_plugin_is_named_with_its_cause_and_what_to_try(broken_plugin: None) -> None:
    done = in_a_new_process("plugins")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("vault")]
    assert "acme-penstock 1.2" in lines[number]
    assert "broken: ModuleNotFoundError: hvac_that_is_not_there (" in lines[number]
    assert "acme_penstock.py:3)" in lines[number]
    assert lines[number + 1].strip() == "Try: pip install hvac_that_is_not_there"
    assert in_a_new_process("projects", "list").returncode == 0


def test_a_blocked_plugin_is_shown_as_such(broken_plugin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_PLUGINS__BLOCK", "vault")
    assert any(
        line.startswith("vault") and line.endswith("blocked")
        for line in in_a_new_process("plugins").stdout.splitlines()
    )


def test_a_plugin_is_shown_with_the_options_of_what_it_offers(penstock: Callable[..., Any]) -> None:
    shown = penstock("plugins", "show", "executors").out
    assert "hooks         penstock_register_executor" in shown
    assert "executor processes" in shown
    assert "max_workers  int | None" in shown
    data = json.loads(penstock("plugins", "show", "executors", "--json").out)
    threads = data["classes"][-1]
    assert threads["type"] == "threads"
    assert {key: threads["options"][0][key] for key in ("name", "type", "default", "required")} == {
        "name": "max_workers",
        "type": "int | None",
        "default": None,
        "required": False,
    }


def test_an_unknown_plugin_is_refused_with_the_nearest_one(penstock: Callable[..., Any]) -> None:
    done = penstock("plugins", "show", "exectors")
    assert (done.code, done.err) == (2, 'penstock: There is no plugin "exectors". Did you mean executors?\n')


def test_every_setting_is_shown_with_where_it_came_from(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[agent]\nlimit = 3\n", encoding="utf-8")
    monkeypatch.setenv("PENSTOCK_BACKEND", "postgresql://me:secret@host/db")
    shown = {one["name"]: one for one in json.loads(in_a_new_process("config", "show", "--json").stdout)}
    assert (shown["agent.limit"]["value"], shown["agent.limit"]["origin"]) == (3, str(home / "config.toml"))
    assert shown["backend.url"] == {
        "name": "backend.url",
        "value": "postgresql://me:***@host/db",
        "origin": "PENSTOCK_BACKEND",
    }
    assert shown["agent.lease_seconds"]["origin"] == "default"
    rows = [line.split() for line in in_a_new_process("config", "show").stdout.splitlines()]
    assert ["agent.limit", "3", str(home / "config.toml")] in rows


def test_a_setting_is_written_and_comments_stay(penstock: Callable[..., Any], home: Path) -> None:
    home.mkdir()
    file = home / "config.toml"
    file.write_text("# mine\n[agent]\nlimit = 3 # enough\n", encoding="utf-8")
    assert penstock("config", "set", "agent.lease_seconds", "60").out == f"Set agent.lease_seconds in {file}\n"
    assert file.read_text(encoding="utf-8") == "# mine\n[agent]\nlimit = 3 # enough\nlease_seconds = 60\n"
    assert list(home.iterdir()) == [file]
    assert penstock("config", "path").out == f"{file}\n"


def test_an_option_of_a_kind_is_added_to_its_type(penstock: Callable[..., Any], home: Path) -> None:
    penstock("config", "set", "executor", "threads")
    penstock("config", "set", "executor.max_workers", "3")
    written = tomllib.loads((home / "config.toml").read_text(encoding="utf-8"))
    assert written == {"executor": {"type": "threads", "max_workers": 3}}


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("agent.limt", "3", "There is no setting agent.limt. Did you mean limit?"),
        ("agent.limit", "many", "The setting agent.limit:"),
        ("executor", "thread", 'No plugin offers an executor "thread". Did you mean threads?'),
        ("executor.workers", "3", 'executor "in-process" has no option "workers"'),
    ],
)
def test_a_wrong_setting_is_not_written(
    penstock: Callable[..., Any], home: Path, key: str, value: str, complaint: str
) -> None:
    if key == "executor.workers":
        penstock("config", "set", "executor", "in-process")
    before = (home / "config.toml").read_text(encoding="utf-8") if home.exists() else None
    done = penstock("config", "set", key, value)
    assert done.code == 2
    assert complaint in done.err
    assert ((home / "config.toml").read_text(encoding="utf-8") if home.exists() else None) == before


def test_a_setting_that_another_source_overrides_says_so(
    penstock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_AGENT__LIMIT", "9")
    assert (
        penstock("config", "set", "agent.limit", "3").out.splitlines()[1]
        == "PENSTOCK_AGENT__LIMIT sets agent.limit too, and wins here"
    )
