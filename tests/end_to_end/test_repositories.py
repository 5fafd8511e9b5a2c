"""A flow in a private repository: registered at a commit, run with what lies around it, its token seen nowhere."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from forges.github import GitHubForge
from forges.repositories import Repository

Run = Callable[..., subprocess.CompletedProcess[str]]

TOKEN = "token-of-the-house-0123"  # noqa: S105 - let in by the server here
FLOW = """
from penstock import Flow, task
from penstock.storage import GitHub
from kitchen.recipes import SUGAR

@task
def grams(spoon):
    from kitchen import recipes
    return recipes.SUGAR * spoon

with Flow("kitchen", storage=GitHub("house/flows", "flows/kitchen_flow.py", base_url="{api}")) as flow:
    grams.map([1, 2])
"""


@pytest.mark.parametrize("executor", ["in-process", "processes"])
def test_a_flow_runs_as_it_was_at_the_commit_that_was_registered(
    executor: str, run: Run, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_ACCESS_TOKEN", TOKEN)
    with GitHubForge().serving() as forge:
        script = FLOW.replace("{api}", forge.api)
        files = {"flows/kitchen_flow.py": script.encode(), "kitchen/recipes.py": b"SUGAR = 7\n"}
        repository = forge.repositories["house/flows"] = Repository(tokens=frozenset({TOKEN}))
        commit = repository.push({**files, "kitchen/__init__.py": b""})
        write("flows/kitchen_flow.py", script)
        write("kitchen/recipes.py", "SUGAR = 7\n")
        run("penstock", "register", "flows/kitchen_flow.py", "--project", "house")
        (tmp_path / "kitchen/recipes.py").unlink()
        repository.push({"README.md": b"all gone"})
        run("penstock", "run", "--flow", "house/kitchen", "--name", "far-heron", "--no-wait", "--executor", executor)
        shown = run("penstock", "agent", "start", "--until-idle").stdout
        detail = run("penstock", "runs", "show", "far-heron", "--json").stdout
        logs = run("penstock", "runs", "logs", "far-heron").stdout
    assert json.loads(detail)["state"]["type"] == "Success", shown + logs
    assert commit in logs
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert commit.encode() in kept
    assert TOKEN.encode() not in kept
    assert TOKEN not in shown + detail + logs
