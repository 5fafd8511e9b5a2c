import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.backends import Backend
from penstock.hooks import manager

from .conftest import SECONDS, Deeds, until

_AGENT = "from penstock_agent.commands import agent; agent()"


@contextmanager
def _start(*options: str, **popen: Any) -> Iterator[subprocess.Popen[str]]:
    """Start an agent, and end it with the block: a test that fails must not wait for an agent that goes on."""
    command = [sys.executable, "-c", _AGENT, "start", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **popen) as agent:
        try:
            yield agent
        finally:
            agent.terminate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_tells_what_it_does_and_ends_well_on_a_signal(deeds: Deeds, number: signal.Signals) -> None:
    run = deeds.ask("log", labels=["gpu"])
    with _start("--name", "bob", "--label", "gpu", "--limit", "2", "--json") as agent:
        deeds.backend.wait_for_flow_run(run, SECONDS)
        until(lambda: [one.name for one in deeds.backend.list_agents()] == ["bob"])
        agent.send_signal(number)
        printed, _ = agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    events = [json.loads(line) for line in printed.splitlines()]
    told = [event for event in events if event["event"] != "plugin"]
    assert sorted(event["event"] for event in told) == ["claimed", "ended", "started", "stopped", "stopping"]
    (ended,) = [event for event in told if event["event"] == "ended"]
    assert (ended["run"]["id"], ended["state"]["type"]) == (run, "Success")
    assert ended["seconds"] >= 0


def test_an_agent_hears_a_signal_that_another_of_its_threads_takes(deeds: Deeds) -> None:
    with _start() as agent:
        until(deeds.backend.list_agents)
        (other, *_) = {int(task.name) for task in Path(f"/proc/{agent.pid}/task").iterdir()} - {agent.pid}
        assert ctypes.CDLL(None).tgkill(agent.pid, other, signal.SIGTERM) == 0
        printed, _ = agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    assert printed.endswith("stopping\nstopped\n")


def test_a_second_signal_ends_runs_at_once(deeds: Deeds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_AGENT__GRACE_SECONDS", "600")
    with _start("--name", "bob") as agent:
        said = agent.stdout
        assert said is not None
        run = deeds.ask("defy")
        until(deeds.hangs)
        agent.terminate()
        until(lambda: "stopping" in said.readline())
        agent.terminate()
        agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    state = deeds.backend.get_flow_run(run).state
    assert (state.type, (state.message or "").splitlines()) == (
        "Failed",
        ["Agent bob was stopped while the run was under way", "Under way then: act"],
    )


def test_lines_are_plain_where_they_do_not_go_to_a_terminal(deeds: Deeds) -> None:
    run = deeds.ask("fail")
    with _start() as agent:
        name = deeds.backend.wait_for_flow_run(run, SECONDS).name
        agent.terminate()
        printed, _ = agent.communicate(timeout=SECONDS)
    assert f"claimed {name} (tutorial/deeds)\n" in printed
    assert f"ended {name} Failed in " in printed
    assert ": Some reference tasks failed.\n" in printed
    assert "\x1b" not in printed


def test_show_logs_prints_what_runs_log_and_print_beside_the_events(deeds: Deeds) -> None:
    run = deeds.ask("log")
    with _start("--show-logs", stderr=subprocess.PIPE) as agent:
        deeds.backend.wait_for_flow_run(run, SECONDS)
        agent.terminate()
        events, logs = agent.communicate(timeout=SECONDS)
    assert "Hello from the flow" in logs
    assert "printed text" in logs
    assert "Hello from the flow" not in events
    assert "printed text" not in events


def test_a_quiet_agent_says_nothing(deeds: Deeds) -> None:
    run = deeds.ask("log")
    with _start("-q", stderr=subprocess.PIPE) as agent:
        deeds.backend.wait_for_flow_run(run, SECONDS)
        agent.terminate()
        assert agent.communicate(timeout=SECONDS) == ("", "")


def test_the_backend_on_the_command_line_goes_over_the_settings(deeds: Deeds, tmp_path: Path) -> None:
    run = deeds.ask("log")
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    elsewhere = Backend.resolve(url)
    with _start("--backend", url) as agent:
        until(elsewhere.list_agents)
        agent.terminate()
        printed, _ = agent.communicate(timeout=SECONDS)
    elsewhere.close()
    assert f"backend: {url}" in printed
    assert deeds.backend.get_flow_run(run).state.type == "Scheduled"


def test_broken_plugins_are_named_when_the_agent_starts(backend: Backend, working: Any) -> None:
    record = manager.PluginRecord("vault", error="ModuleNotFoundError: hvac")
    manager.registry().records.append(record)
    try:
        with working() as agent:
            until(lambda: any(event.kind == "started" for event in agent.events))
    finally:
        manager.registry().records.remove(record)
    assert "plugin vault is broken: ModuleNotFoundError: hvac" in [event.text() for event in agent.events]


def test_an_agent_that_works_until_idle_ends_when_nothing_is_due_any_more(deeds: Deeds) -> None:
    runs = [deeds.ask("log") for _ in range(2)]
    later = deeds.ask("log", scheduled_time=datetime(2100, 1, 1, tzinfo=UTC))
    with _start("--until-idle", "--limit", "1") as agent:
        printed, _ = agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    assert printed.count(" Success in ") == 2
    assert [deeds.backend.get_flow_run(run).state.type for run in runs] == ["Success"] * 2
    assert deeds.backend.get_flow_run(later).state.type == "Scheduled"
