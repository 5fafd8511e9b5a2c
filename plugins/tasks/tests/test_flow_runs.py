"""Flows that start flows: here where no backend is set up, and through a backend where one is."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, Parameter, clock, errors, get_backend, settings, states, task
from penstock.backends import Backend
from penstock.backends.models import StateReport
from penstock.storage import load_flows
from penstock_tasks import create_flow_run, get_task_run_result, wait_for_flow_run

CHILD = """
from penstock import Flow, Parameter, task

@task
def double(number):
    if number > 100:
        raise ValueError("too much")
    return 2 * number

with Flow("child") as flow:
    double.map(Parameter("numbers", default=[1, 2, 3]))
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flow:
    for name, value in {"HOME": str(tmp_path / "home"), "LOGGING__LEVEL": "CRITICAL"}.items():
        monkeypatch.setenv(f"PENSTOCK_{name}", value)
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    flow: Flow = load_flows(tmp_path / "child.py")["child"]
    return flow


@pytest.fixture
def alone(child: Flow) -> Iterator[Flow]:
    """Set up no backend."""
    with settings.override():
        yield child


@pytest.fixture
def backend(child: Flow, tmp_path: Path) -> Iterator[Backend]:
    """Set up a backend, with the child registered."""
    with settings.override({"backend": {"url": f"sqlite:///{tmp_path}/p.db"}}):
        child.register("shop")
        backend = get_backend()
        yield backend
        backend.close()


@pytest.mark.parametrize("executor", ["in-process", "threads", "processes"])
def test_without_a_backend_the_child_runs_here(alone: Flow, executor: str) -> None:
    with Flow("parent") as parent:
        run = create_flow_run(alone, parameters={"numbers": [4, 5]}, run_name="ours")
        ended = wait_for_flow_run(run, raise_final_state=True)
        values = get_task_run_result(run, "double", upstream_tasks=[ended])
        second = get_task_run_result(run, "double-1", map_index=1, upstream_tasks=[ended])
    state = parent.run(executor=executor)
    assert state.result[values].result == [8, 10]
    assert state.result[second].result == 10
    assert (state.result[ended].result.name, state.result[ended].result.state.type) == ("ours", "Success")


def test_a_child_that_was_registered_before_is_found_by_name(alone: Flow) -> None:
    alone.register("shop")
    with Flow("parent") as parent:
        values = get_task_run_result(create_flow_run("shop/child"), "double")
    assert parent.run().result[values].result == [2, 4, 6]


def test_a_child_that_fails_fails_the_task_that_waits_for_it_if_that_is_asked_for(alone: Flow) -> None:
    with Flow("parent") as parent:
        run = create_flow_run(alone, parameters={"numbers": [1000]})
        told, raised = wait_for_flow_run(run), wait_for_flow_run(run, raise_final_state=True)
    state = parent.run()
    assert state.result[told].result.state.type == "Failed"
    assert state.result[raised].is_failed()
    assert '"child" is Failed' in state.result[raised].message


def _end(backend: Backend, state: states.State) -> None:
    """Do what an agent would: claim the child, and end it."""
    while not (claims := backend.claim("ann")):
        clock.sleep(0.01)
    claim = claims[0]
    for one in (states.Running(), state):
        backend.report_states(claim.run.id, claim.fence, [StateReport(state=one.serialize(), timestamp=clock.now())])


def test_with_a_backend_the_child_is_a_run_there_made_once_and_waited_for(backend: Backend) -> None:
    with Flow("parent") as parent:
        run = create_flow_run("child", project_name="shop", labels=[], task_args={"max_retries": 1, "retry_delay": 0})
        ended = wait_for_flow_run(run)
    agent = threading.Thread(target=_end, args=(backend, states.Success("done")))
    agent.start()
    state = parent.run(run_id="the-parent")
    agent.join()
    (made,) = backend.list_flow_runs()
    assert state.result[run].result == made.id
    assert made.parent == "the-parent"
    assert state.result[ended].result.state.message == "done"
    parent.run(run_id="the-parent")  # tried again, as after a crash
    assert len(backend.list_flow_runs()) == 1


def test_waiting_has_an_end(backend: Backend) -> None:
    with Flow("parent") as parent:
        ended = wait_for_flow_run(create_flow_run("shop/child"), max_duration=0.2)
    state = parent.run().result[ended]
    assert state.is_failed()
    assert isinstance(state.result, TimeoutError)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, errors.FlowError, "needs a flow"),
        ({"flow_name": "child"}, errors.UnknownProjectError, "In which project"),
        ({"flow_name": "shop/chid"}, errors.UnknownFlowError, "Did you mean child"),
        ({"flow_name": "child", "project_name": "shp"}, errors.UnknownProjectError, "Did you mean shop"),
        ({"flow_name": "shop/child", "parameters": {"numbrs": 1}}, errors.ParameterError, "Did you mean numbers"),
    ],
)
def test_what_cannot_be_started_is_named(
    backend: Backend, given: dict[str, Any], error: type[Exception], words: str
) -> None:
    with Flow("parent") as parent:
        run = create_flow_run(**given)
    state = parent.run().result[run]
    assert isinstance(state.result, error)
    assert words in state.message
    assert backend.list_flow_runs() == []


def test_a_task_that_the_child_has_not_is_named(alone: Flow) -> None:
    with Flow("parent") as parent:
        value = get_task_run_result(create_flow_run(alone), "doubl")
    state = parent.run().result[value]
    assert "Did you mean double-1" in state.message


def test_mapped_children_are_runs_of_their_own(alone: Flow) -> None:
    @task
    def total(runs: list[list[int]]) -> int:
        return sum(sum(run) for run in runs)

    with Flow("parent") as parent:
        given = Parameter("given", default=[{"numbers": [1]}, {"numbers": [2, 3]}])
        runs = create_flow_run.map([alone, alone], parameters=given)
        result = total(get_task_run_result.map(runs, ["double", "double"]))
    assert parent.run().result[result].result == 12
