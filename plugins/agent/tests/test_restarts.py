"""Another attempt of a run, on an agent: what succeeded is not run again, what waited goes on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from penstock import states
from penstock.backends import Backend
from penstock.storage import load_flows

from .conftest import Running, until

Work = Callable[..., AbstractContextManager[Running]]
_FLOW = """
import os
from pathlib import Path
from penstock import Flow, Parameter, task, triggers

folder = Path(FOLDER)

def ledger(name):
    with open(folder / "ledger", "a") as file:
        print(name, file=file)

@task
def load(size):
    ledger("load")
    return list(range(size))

@task
def greet():
    ledger("greet")

@task
def measure(number):
    ledger(f"measure[{number}]")
    if number == 2 and (folder / "broken").exists():
        raise ValueError("no luck")
    return number * 10

@task
def total(numbers, greeted):
    ledger("total")
    return sum(numbers)

@task(trigger=triggers.manual_only)
def publish(number):
    ledger("publish")
    (folder / "published").write_text(str(number))

with Flow("census") as census:
    total(measure.map(load(Parameter("size", default=4))), greet())

with Flow("waiting") as waiting:
    publish(total(measure.map(load(3)), greet()))
"""


class Census:
    """The flows of these tests, and what they did."""

    def __init__(self, backend: Backend, folder: Path, working: Work) -> None:
        self.backend, self.folder, self._working = backend, folder, working
        folder.mkdir()
        script = folder / "census.py"
        script.write_text(f"FOLDER = {str(folder)!r}\n{_FLOW}", encoding="utf-8")
        for flow in load_flows(script).values():
            flow.register("tutorial")

    def ask(self, flow: str) -> str:
        return self.backend.create_flow_run("tutorial", flow).id

    def work(self, run: str, wanted: str) -> str:
        """Let an agent work until the run is in the state *wanted*, and return what the state says."""
        with self._working():
            until(lambda: self.backend.get_flow_run(run).state.type == wanted)
        return self.backend.get_flow_run(run).state.message or ""

    def ledger(self) -> list[str]:
        """Return which tasks have run since this was asked, sorted."""
        file = self.folder / "ledger"
        done = sorted(file.read_text(encoding="utf-8").split()) if file.exists() else []
        file.unlink(missing_ok=True)
        return done

    def result(self, run: str, task: str) -> Path:
        """Return the file in which a task's value lies."""
        (found,) = (one for one in self.backend.list_task_runs(run) if one.name == task)
        return Path(found.state.data["location"]["location"].removeprefix("file://"))


@pytest.fixture
def census(backend: Backend, tmp_path: Path, working: Work) -> Census:
    return Census(backend, tmp_path / "census", working)


@pytest.fixture
def failed(census: Census) -> str:
    """Return a run that failed in one of its mapped children."""
    (census.folder / "broken").touch()
    run = census.ask("census")
    census.work(run, "Failed")
    assert census.ledger() == ["greet", "load", "measure[0]", "measure[1]", "measure[2]", "measure[3]"]
    (census.folder / "broken").unlink()
    return run


def test_a_restart_runs_what_failed_and_what_follows_and_uses_the_rest(census: Census, failed: str) -> None:
    census.backend.restart_flow_run(failed)
    census.work(failed, "Success")
    assert census.ledger() == ["measure[2]", "total"]
    assert {one.state.type for one in census.backend.list_task_runs(failed)} == {"Success", "Mapped"}
    census.backend.restart_flow_run(failed, tasks=["measure"])
    census.work(failed, "Success")
    assert census.ledger() == ["measure[0]", "measure[1]", "measure[2]", "measure[3]", "total"]
    assert census.backend.get_flow_run(failed).attempt == 3


def test_what_cannot_be_read_any_more_runs_again_and_so_does_what_was_mapped_over_it(
    census: Census, failed: str
) -> None:
    census.result(failed, "load").unlink()
    census.backend.restart_flow_run(failed)
    census.work(failed, "Success")
    assert census.ledger() == ["load", "measure[0]", "measure[1]", "measure[2]", "measure[3]", "total"]
    said = [line.message for line in census.backend.list_logs(failed)]
    assert any("load succeeded before, and runs again" in one for one in said)


def test_a_result_that_is_not_what_was_written_runs_again(census: Census, failed: str) -> None:
    file = census.result(failed, "measure[1]")
    file.write_bytes(census.result(failed, "measure[3]").read_bytes())
    census.backend.restart_flow_run(failed)
    census.work(failed, "Success")
    assert census.ledger() == ["measure[1]", "measure[2]", "total"]


def test_a_child_that_was_set_to_success_by_hand_counts_as_no_value(census: Census, failed: str) -> None:
    census.backend.set_state(failed, states.Success("looked at").serialize(), task="total")
    census.backend.restart_flow_run(failed)
    census.work(failed, "Success")
    assert census.ledger() == ["measure[2]"]


def test_a_run_that_waits_for_somebody_is_paused_and_goes_on_where_it_was(census: Census) -> None:
    run = census.ask("waiting")
    assert census.work(run, "Paused").startswith("publish may go on when somebody says so")
    assert census.ledger() == ["greet", "load", "measure[0]", "measure[1]", "measure[2]", "total"]
    census.backend.set_state(run, states.Resume("Looks right").serialize())
    census.work(run, "Success")
    assert census.ledger() == ["publish"]
    assert (census.folder / "published").read_text() == "30"
    assert census.backend.get_flow_run(run).attempt == 1
