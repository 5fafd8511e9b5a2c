"""A flow goes all the way: written, registered, stored, claimed, run, recorded and seen."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

FLOW = """
import penstock
from penstock import Flow, Parameter, task

@task
def recipe_of_the_house(sugar):
    penstock.context.get("logger").info("stirring")
    return f"caramel-{sugar + 57}-grams"

@task(max_retries=1, retry_delay=0)
def fails_at_the_stove(recipe):
    pan_too_hot = len(recipe) > 3
    if pan_too_hot:
        raise ValueError("burnt")
    return recipe

@task
def each_spoon(spoon):
    return f"spoonful-of-{spoon * 11}"

with Flow("{name}") as flow:
    recipe = recipe_of_the_house(Parameter("sugar", default=6))
    each_spoon.map([1, 2, 3])
    {more}
"""


def source(name: str, more: str = "") -> str:
    return FLOW.replace("{name}", name).replace("{more}", more)


@pytest.mark.parametrize("executor", ["in-process", "processes"])
def test_a_registered_flow_is_run_by_an_agent_on_each_executor(
    executor: str, run: Run, write: Callable[[str, str], Path]
) -> None:
    write("kitchen.py", source("kitchen"))
    run("penstock", "register", "kitchen.py", "--project", "house")
    run("penstock", "run", "--flow", "house/kitchen", "--name", "sweet-otter", "--no-wait", "--executor", executor)
    run("penstock", "agent", "start", "--until-idle")
    (shown,) = json.loads(run("penstock", "runs", "list", "--json").stdout)
    assert (shown["name"], shown["state"]["type"], shown["flow"]) == ("sweet-otter", "Success", "kitchen")
    assert "stirring" in run("penstock", "runs", "logs", "sweet-otter").stdout
    detail = json.loads(run("penstock", "runs", "show", "sweet-otter", "--json").stdout)
    states = {one["name"]: one["state"]["type"] for one in detail["task_runs"]}
    assert states == {
        "sugar": "Success",
        "recipe_of_the_house": "Success",
        "each_spoon": "Mapped",
        **{f"each_spoon[{spoon}]": "Success" for spoon in range(3)},
    }


def test_a_waiting_agent_runs_what_another_terminal_asks_for(
    run: Run, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    write("kitchen.py", source("kitchen"))
    assert 'Created the project "house"' in run("penstock", "register", "kitchen.py", "--project", "house").stdout
    environ = {**os.environ, "PENSTOCK_HOME": str(tmp_path / "home"), "PENSTOCK_LOGGING__LEVEL": "INFO"}
    agent = subprocess.Popen(
        [sys.executable, "-m", "penstock_cli", "agent", "start", "--name", "waiting"],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        waited = run("penstock", "run", "--flow", "house/kitchen", "--name", "quick-otter", "--wait")
        failing = run("penstock", "run", "--flow", "house/kitchen", "-p", 'sugar="x"', "--wait", exits=1)
    finally:
        agent.send_signal(signal.SIGTERM)
        said, _ = agent.communicate(timeout=60)
    assert "quick-otter" in waited.stdout
    assert "TypeError" in failing.stdout + failing.stderr
    assert "claimed quick-otter (house/kitchen)" in said
    assert "ended quick-otter Success" in said
    assert agent.returncode == 0
    assert "stirring" in run("penstock", "runs", "logs", "quick-otter").stdout


def test_a_failed_run_says_why(run: Run, write: Callable[[str, str], Path]) -> None:
    write("kitchen.py", source("kitchen", "fails_at_the_stove(recipe)"))
    run("penstock", "register", "kitchen.py", "--project", "house")
    run("penstock", "run", "--flow", "house/kitchen", "--name", "sad-otter", "--no-wait")
    run("penstock", "agent", "start", "--until-idle")
    shown = run("penstock", "runs", "show", "sad-otter").stdout
    assert "ValueError: burnt" in shown
    assert run("penstock", "runs", "wait", "sad-otter", exits=1)


def test_the_backend_holds_neither_source_nor_values(
    run: Run, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    for name, more in (("well", ""), ("badly", "fails_at_the_stove(recipe)")):
        write(f"{name}.py", source(name, more))
        run("penstock", "register", f"{name}.py", "--project", "house")
        run("penstock", "run", "--flow", f"house/{name}", "--no-wait", "-p", "sugar=9", "--executor", "processes")
    run("penstock", "agent", "start", "--until-idle")
    states = [one["state"]["type"] for one in json.loads(run("penstock", "runs", "list", "--json").stdout)]
    assert sorted(states) == ["Failed", "Success"]

    written = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("penstock.db*"))
    assert b"recipe_of_the_house" in written  # names are metadata
    values = ["caramel-", "66-grams", "spoonful-of-"]
    lines = [line.strip() for line in source("well").splitlines() if len(line.strip()) > 12]
    assert [known for known in (*values, *lines) if known.encode() in written] == []
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"caramel-66-grams" in kept  # the results lie on this side


def test_a_process_without_the_storage_plugin_keeps_and_passes_on_the_flow(
    run: Run, write: Callable[[str, str], Path]
) -> None:
    write("kitchen.py", source("kitchen"))
    run("penstock", "register", "kitchen.py", "--project", "house")
    run("penstock", "run", "--flow", "house/kitchen", "--no-wait")
    script = """
import json, sys
from penstock import get_backend, storage
backend = get_backend()
(flow,) = backend.list_flows("house")
assert flow.spec["storage"]["type"] == "local", flow.spec["storage"]
(claim,) = backend.claim("server")
assert claim.spec == flow.spec
try:
    storage.Storage.restore(claim.spec["storage"])
except ImportError as error:
    print(error)
assert "penstock_fsspec" not in sys.modules and "fsspec" not in sys.modules
"""
    write("server.py", script)
    said = run("python", "server.py", PENSTOCK_PLUGINS__BLOCK="fsspec").stdout
    assert "penstock-fsspec, which the setting plugins.block or allow leaves out" in said


def test_an_unguarded_script_runs_on_processes(run: Run, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    write(
        "unguarded.py",
        """
from pathlib import Path
from penstock import Flow, task

with Path("imports.txt").open("a") as log:
    log.write("executed\\n")

class Box:
    def __init__(self, content):
        self.content = content

@task
def fill(x):
    return Box(x * 2)

@task
def total(boxes):
    return sum(box.content for box in boxes)

with Flow("unguarded") as flow:
    together = total(fill.map(list(range(20))))

state = flow.run(executor="processes")
print(state.result[together].result)
""",
    )
    assert run("python", "unguarded.py").stdout.strip() == "380"
    assert (tmp_path / "imports.txt").read_text(encoding="utf-8") == "executed\n"


def test_a_changed_source_is_not_executed(run: Run, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    write("kitchen.py", source("kitchen"))
    run("penstock", "register", "kitchen.py", "--project", "house")
    (stored,) = [path for path in (tmp_path / "home/flows").rglob("*") if path.is_file()]
    stored.write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n{source('kitchen')}", encoding="utf-8")
    run("penstock", "run", "--flow", "house/kitchen", "--name", "odd-otter", "--no-wait")
    run("penstock", "agent", "start", "--until-idle")
    assert "changed since registration" in run("penstock", "runs", "show", "odd-otter").stdout
    assert not (tmp_path / "executed").exists()


def test_a_broken_plugin_is_named_and_everything_else_works(run: Run, write: Callable[[str, str], Path]) -> None:
    write("acme_broken.py", "import hvac_of_nobody\n")
    write("acme_broken-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme-broken\nVersion: 1.2\n")
    write("acme_broken-1.2.dist-info/entry_points.txt", "[penstock]\nbroken = acme_broken\n")
    write("kitchen.py", source("kitchen"))
    listed = run("penstock", "plugins").stdout
    assert "broken: ModuleNotFoundError: hvac_of_nobody" in listed
    assert "pip install hvac_of_nobody" in listed
    run("penstock", "register", "kitchen.py", "--project", "house")
    run("penstock", "run", "--flow", "house/kitchen", "--no-wait")
    run("penstock", "agent", "start", "--until-idle")
    (shown,) = json.loads(run("penstock", "runs", "list", "--json").stdout)
    assert shown["state"]["type"] == "Success"


def test_a_backend_of_a_newer_penstock_is_left_alone(
    run: Run, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    run("penstock", "projects", "create", "house")
    with sqlite3.connect(tmp_path / "home/penstock.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'")
    database.close()
    said = run("penstock", "projects", "list", exits=3).stderr
    assert "9999_from_the_future" in said


def test_a_flow_takes_what_the_tasks_of_another_flows_run_returned(run: Run, write: Callable[[str, str], Path]) -> None:
    write("kitchen.py", source("kitchen"))
    write(
        "table.py",
        """
from penstock import Flow, task
from penstock_tasks import create_flow_run, get_task_run_result, wait_for_flow_run

@task
def serve(recipe, spoons):
    assert (recipe, spoons) == ("caramel-60-grams", ["spoonful-of-11", "spoonful-of-22", "spoonful-of-33"])

with Flow("table") as flow:
    cooking = create_flow_run("house/kitchen", parameters={"sugar": 3})
    cooked = wait_for_flow_run(cooking, raise_final_state=True)
    recipe = get_task_run_result(cooking, "recipe_of_the_house-1", upstream_tasks=[cooked])
    serve(recipe, get_task_run_result(cooking, "each_spoon-1", upstream_tasks=[cooked]))
""",
    )
    run("penstock", "register", "kitchen.py", "table.py", "--project", "house")
    run("penstock", "run", "--flow", "house/table", "--name", "full-otter", "--no-wait")
    run("penstock", "agent", "start", "--until-idle")
    assert json.loads(run("penstock", "runs", "show", "full-otter", "--json").stdout)["state"]["type"] == "Success"
