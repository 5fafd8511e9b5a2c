"""What a process left is sent after its end, by its agent or by the next one, and the run ends with the cause."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from penstock_agent import Agent, LocalRun
from penstock_agent.spool import folder

from .conftest import SECONDS, Deeds, Running, until
from .test_agent import _ended, _lives

Work = Callable[..., AbstractContextManager[Running]]
_AGENT = "import threading; from penstock_agent import Agent; Agent('short-lived').run(threading.Event())"


def _messages(deeds: Deeds, run: str) -> list[str]:
    return [line.message for line in deeds.backend.list_logs(run) if line.task == "act"]


def test_a_killed_process_loses_no_line_and_the_message_names_what_was_under_way(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("die")
    with working():
        kind, message = _ended(deeds, run)
        until(lambda: not list(folder().iterdir()))
    assert (kind, message.splitlines()) == (
        "Failed",
        [
            "The process of the run was ended by signal 9 (SIGKILL): killed from outside, or out of memory",
            "Under way then: act",
        ],
    )
    assert _messages(deeds, run) == [f"line {number}" for number in range(100)]
    assert [line.sequence for line in deeds.backend.list_logs(run)] == list(range(1, 101))


def test_a_process_that_cannot_begin_says_why(deeds: Deeds, working: Work) -> None:
    blocked = {"PENSTOCK_PLUGINS__BLOCK": "backend", "PYTHONHASHSEED": "1"}  # a spare would have loaded it before
    deeds.register(run_config=LocalRun(env=blocked))
    run = deeds.ask("log")
    with working():
        kind, message = _ended(deeds, run)
    first, second = message.splitlines()
    assert (kind, first) == ("Failed", "The process of the run ended with exit code 1 before the run did")
    assert second.startswith("PluginMissingError: ")
    assert "penstock-backend" in second


def _killed_with_its_agent(deeds: Deeds) -> str:
    """Return a run whose agent and process were killed, in this order, after it had logged."""
    with subprocess.Popen([sys.executable, "-c", _AGENT]) as agent:
        run = deeds.ask("hang")
        until(deeds.hangs)
        until(lambda: deeds.backend.list_task_runs(run))
        agent.kill()
    os.kill(deeds.pid(), signal.SIGKILL)
    until(lambda: not _lives(deeds.pid()))
    return run


def test_the_next_agent_ends_what_a_killed_agent_and_its_killed_process_left(deeds: Deeds, working: Work) -> None:
    run = _killed_with_its_agent(deeds)
    assert _lives(deeds.pid("child"))
    with working() as agent:
        kind, message = _ended(deeds, run)
        until(lambda: "ended" in [event.kind for event in agent.events])
    assert (kind, message.splitlines()[0]) == (
        "Failed",
        "The process of the run ended before the run did, and its agent with it",
    )
    assert _messages(deeds, run) == ["hanging"]
    until(lambda: not _lives(deeds.pid("child")))
    assert list(folder().iterdir()) == []


def test_what_a_backend_does_not_take_any_more_is_given_up_and_told(deeds: Deeds, working: Work) -> None:
    run = _killed_with_its_agent(deeds)
    with (folder() / next(folder().glob(f"{run}-*.jsonl")).name).open("a", encoding="utf-8") as spool:
        line = '{"timestamp": "2026-01-02T12:00:00Z", "level": "INFO", "logger": "x", "message": "late", "task": "act"}'
        spool.write(f'{{"line": {line}}}\n')
    deeds.backend.end_lost_runs(datetime(2100, 1, 1, tzinfo=UTC))
    before = deeds.backend.get_flow_run(run)
    with working() as agent:
        until(lambda: any("is given up" in event.message for event in agent.events))
    assert deeds.backend.get_flow_run(run) == before
    assert "late" not in _messages(deeds, run)
    assert list(folder().iterdir()) == []


def test_the_spool_of_another_backend_is_left_for_its_agent(deeds: Deeds, working: Work) -> None:
    run = _killed_with_its_agent(deeds)
    from penstock.backends import Backend

    elsewhere = Backend.resolve(f"sqlite:///{deeds.folder}/elsewhere.db")
    stop = threading.Event()
    agent = Agent("bob", backend=elsewhere)
    agent.run(stop, until_idle=True)
    elsewhere.close()
    assert deeds.backend.get_flow_run(run).state.type == "Running"
    assert len(list(folder().glob("*.jsonl"))) == 1
    with working():
        assert _ended(deeds, run)[0] == "Failed"
        until(lambda: not _lives(deeds.pid("child")))


def test_a_run_of_which_only_the_agent_was_killed_is_left_alone(deeds: Deeds, working: Work) -> None:
    with subprocess.Popen([sys.executable, "-c", _AGENT]) as agent:
        run = deeds.ask("wait")
        until(deeds.hangs)
        agent.kill()
    with working() as agent:
        until(lambda: "started" in [event.kind for event in agent.events])
        assert deeds.backend.wait_for_flow_run(deeds.ask("log"), SECONDS).state.type == "Success"
        assert deeds.backend.get_flow_run(run).state.type == "Running"
        (deeds.folder / "go").touch()
        assert _ended(deeds, run)[0] == "Success"
    assert [one.type for one in deeds.backend.list_states(run)] == ["Scheduled", "Submitted", "Running", "Success"]
    until(lambda: not list(folder().iterdir()))
    until(lambda: not _lives(deeds.pid("child")))
