import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock import clock, errors, hookimpl, hooks
from penstock.backends import Backend
from penstock.hooks.kinds import KindSpec
from penstock.run_configs import LocalRun
from penstock.spec import FlowSpec
from penstock.storage import Local
from penstock.testing.backend_cases import EveryMinute
from penstock.testing.clocks import VirtualClock
from penstock_agent import Agent

from .conftest import SECONDS, Deeds, Running, until

Work = Callable[..., AbstractContextManager[Running]]


def _ended(deeds: Deeds, run: str) -> tuple[str, str]:
    found = deeds.backend.wait_for_flow_run(run, SECONDS)
    return found.state.type, found.state.message or ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_due_run_is_taken_run_in_a_process_of_its_own_and_reported(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("log")
    with working() as agent:
        assert _ended(deeds, run)[0] == "Success"
        until(lambda: [event.kind for event in agent.events][-1] == "ended")
    assert deeds.pid() != os.getpid()
    assert [one.type for one in deeds.backend.list_states(run)] == ["Scheduled", "Submitted", "Running", "Success"]
    tasks = {one.name: (one.slug, one.state.type, one.attempt) for one in deeds.backend.list_task_runs(run)}
    assert tasks["act"] == ("act-1", "Success", 1)
    lines = deeds.backend.list_logs(run)
    assert [line.sequence for line in lines] == list(range(1, len(lines) + 1))
    assert [(line.message, line.level) for line in lines if line.task == "act"] == [("Hello from the flow", "INFO")]
    told = [event for event in agent.events if event.kind != "plugin"]
    assert [event.kind for event in told] == ["started", "claimed", "ended", "stopping", "stopped"]
    name = deeds.backend.get_flow_run(run).name
    assert told[1].text() == f"claimed {name} (tutorial/deeds)"
    assert told[2].text().startswith(f"ended {name} Success in ")


def test_what_a_run_leaves_in_the_backend_holds_neither_source_nor_values(
    deeds: Deeds, working: Work, tmp_path: Path
) -> None:
    runs = [deeds.ask("log"), deeds.ask("fail")]
    with working():
        assert [_ended(deeds, run)[0] for run in runs] == ["Success", "Failed"]
    deeds.backend.close()
    content = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("penstock.db*"))
    assert b"nothing there" in content
    source = (deeds.folder / "deeds.py").read_text().splitlines()
    for line in (line.strip() for line in source if len(line.strip()) > len("def log(folder):")):
        assert line.encode() not in content, line
    assert b"secret_variable_name" not in content
    assert b"a value that nobody may see" not in content


def test_a_failed_task_tells_type_message_and_frames(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("fail")
    with working():
        _ended(deeds, run)
    (task,) = [one for one in deeds.backend.list_task_runs(run) if one.name == "act"]
    assert (task.state.type, task.state.message) == ("Failed", "LookupError: nothing there")
    exception = task.state.data["exception"]
    assert (exception["type"], exception["message"]) == ("LookupError", "nothing there")
    assert [frame["function"] for frame in exception["frames"]][-1] == "fail"
    (line,) = [line for line in deeds.backend.list_logs(run) if line.level == "ERROR"]
    assert "LookupError: nothing there" in line.message
    assert " in fail" in line.message


@pytest.mark.parametrize("executor", ["in-process", "processes"])
def test_a_run_has_the_secrets_that_its_storage_names_and_the_backend_never_sees_them(
    deeds: Deeds, working: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "s3cr3t-token")
    deeds.register(storage=Local(tmp_path / "flows", secrets=["TOKEN"]))
    run = deeds.ask("tell", executor={"type": executor})
    with working():
        state, _ = _ended(deeds, run)
    assert (deeds.folder / "token").read_text() == "s3cr3t-token"
    (task,) = [one for one in deeds.backend.list_task_runs(run) if one.name == "act"]
    assert (state, task.state.message) == ("Failed", "ValueError: 401: *** is not welcome")
    lines = [line.message for line in deeds.backend.list_logs(run)]
    assert any("the token is ***" in line for line in lines)
    deeds.backend.close()
    content = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("penstock.db*"))
    assert b"s3cr3t-token" not in content


def test_a_secret_that_is_missing_where_the_run_is_ends_it_with_its_name(
    deeds: Deeds, working: Work, tmp_path: Path
) -> None:
    deeds.register(storage=Local(tmp_path / "flows", secrets=["TOKEN"]))
    run = deeds.ask("log")
    with working():
        state, message = _ended(deeds, run)
    assert state == "Failed"
    assert 'There is no secret "TOKEN". Set PENSTOCK_SECRETS__TOKEN' in message


def test_a_killed_process_fails_its_run_with_the_cause(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("hang")
    with working():
        until(deeds.hangs)
        until(lambda: deeds.backend.list_task_runs(run))
        os.kill(deeds.pid(), signal.SIGKILL)
        kind, message = _ended(deeds, run)
    assert kind == "Failed"
    assert "signal 9 (SIGKILL)" in message
    assert "out of memory" in message
    assert {one.state.type for one in deeds.backend.list_task_runs(run) if one.name == "act"} == {"Failed"}
    until(lambda: not _lives(deeds.pid("child")))


def test_a_process_that_exits_on_its_own_fails_its_run_with_the_exit_code(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("exit")
    with working():
        kind, message = _ended(deeds, run)
    assert (kind, "exit code 3" in message) == ("Failed", True)


def test_a_flow_that_interrupts_itself_ends_as_cancelled(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("interrupt")
    with working():
        assert _ended(deeds, run) == ("Cancelled", "The run was interrupted.")


def test_cancelling_ends_the_process_with_its_children_and_lets_it_clean_up(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("hang")
    with working():
        until(deeds.hangs)
        until(lambda: deeds.backend.list_task_runs(run))
        deeds.backend.cancel_flow_run(run)
        assert _ended(deeds, run)[0] == "Cancelled"
    assert (deeds.folder / "cleaned").exists()
    assert not _lives(deeds.pid())
    until(lambda: not _lives(deeds.pid("child")))
    assert {one.state.type for one in deeds.backend.list_task_runs(run) if one.name == "act"} == {"Cancelled"}


def test_a_process_that_defies_is_killed_after_the_grace_time(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("defy")
    with working():
        until(deeds.hangs)
        deeds.backend.cancel_flow_run(run)
        assert _ended(deeds, run)[0] == "Cancelled"
    assert not _lives(deeds.pid())


def test_a_stopped_agent_ends_what_does_not_end_in_the_grace_time_and_says_so(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("hang")
    with working() as agent:
        until(deeds.hangs)
        agent.end()
        assert not _lives(deeds.pid())
        kind, message = _ended(deeds, run)
    assert (kind, message.splitlines()[0]) == ("Failed", "Agent ann was stopped while the run was under way")


def test_a_stopped_agent_takes_nothing_more_and_lets_a_run_end_in_the_grace_time(
    deeds: Deeds, working: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = deeds.ask("wait")
    with working() as agent:
        until(deeds.hangs)
        agent.stop.set()
        until(lambda: agent.events[-1].kind == "stopping")
        later = deeds.ask("log")
        (deeds.folder / "go").touch()
    assert _ended(deeds, run)[0] == "Success"
    assert deeds.backend.get_flow_run(later).state.type == "Scheduled"


def test_an_agent_that_has_ended_can_work_again(deeds: Deeds) -> None:
    agent = Agent("ann", backend=deeds.backend)
    for _ in range(2):
        run = deeds.ask("log")
        agent.run(threading.Event(), until_idle=True)
        assert deeds.backend.get_flow_run(run).state.type == "Success"


def test_no_more_runs_are_under_way_than_the_limit(deeds: Deeds, working: Work) -> None:
    runs = [deeds.ask("count") for _ in range(3)]
    with working(limit=1):
        assert {_ended(deeds, run)[0] for run in runs} == {"Success"}
    assert (deeds.folder / "ledger").read_text().split() == ["begin", "end"] * 3


def test_an_agent_leaves_runs_whose_labels_it_has_not(deeds: Deeds, working: Work) -> None:
    others = deeds.ask("log", labels=["gpu"])
    with working(labels=["cpu"]):
        assert _ended(deeds, deeds.ask("log", labels=["cpu"]))[0] == "Success"
    assert deeds.backend.get_flow_run(others).state.type == "Scheduled"


def test_a_missing_storage_plugin_fails_the_run_saying_what_to_install(backend: Backend, working: Work) -> None:
    missing = KindSpec(type="vault", options={"address": "there"}, distribution="acme-penstock")
    backend.register_flow(FlowSpec(name="elsewhere", storage=missing), project="tutorial")
    run = backend.create_flow_run("tutorial", "elsewhere").id
    with working():
        state = backend.wait_for_flow_run(run, SECONDS).state
    assert state.type == "Failed"
    assert "pip install acme-penstock" in (state.message or "")


def test_a_missing_run_config_plugin_fails_the_run_saying_what_to_install(backend: Backend, working: Work) -> None:
    missing = KindSpec(type="zeppelin", distribution="acme-zeppelin")
    backend.register_flow(FlowSpec(name="aloft", run_config=missing), project="tutorial")
    run = backend.create_flow_run("tutorial", "aloft").id
    with working():
        state = backend.wait_for_flow_run(run, SECONDS).state
    assert (state.type, "pip install acme-zeppelin" in (state.message or "")) == ("Failed", True)


def test_source_that_changed_since_registration_is_not_executed(deeds: Deeds, working: Work, tmp_path: Path) -> None:
    (stored,) = [path for path in (tmp_path / "home" / "flows").rglob("*") if path.is_file()]
    stored.write_text((deeds.folder / "deeds.py").read_text() + "\nPath('/nowhere').touch()")
    run = deeds.ask("log")
    with working():
        kind, message = _ended(deeds, run)
    assert (kind, "changed since registration" in message) == ("Failed", True)
    assert not (deeds.folder / "pid").exists()


def test_a_flow_without_storage_fails_with_the_reason(backend: Backend, working: Work) -> None:
    backend.register_flow(FlowSpec(name="bare"), project="tutorial")
    bare = backend.create_flow_run("tutorial", "bare").id
    with working():
        assert "without a storage" in (backend.wait_for_flow_run(bare, SECONDS).state.message or "")


@pytest.mark.parametrize("env", [{"COLOUR": "red"}, {"COLOUR": "red", "PYTHONHASHSEED": "7"}])
def test_a_run_config_sets_variables_and_folder(
    deeds: Deeds, working: Work, tmp_path: Path, env: dict[str, str]
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    deeds.register(run_config=LocalRun(env=env, working_dir=str(folder)))
    with working() as agent:
        until(lambda: agent.events)
        assert _ended(deeds, deeds.ask("look"))[0] == "Success"
    assert (deeds.folder / "seen").read_text() == f"{folder} red {env.get('PYTHONHASHSEED')}"


def test_a_working_folder_that_does_not_exist_fails_the_run(deeds: Deeds, working: Work) -> None:
    deeds.register(run_config=LocalRun(working_dir="/no/such/folder"))
    run = deeds.ask("log")
    with working():
        kind, message = _ended(deeds, run)
    assert (kind, "/no/such/folder does not exist" in message) == ("Failed", True)


def test_the_executor_of_a_run_goes_over_the_flows_and_its_workers_log_too(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("log", executor={"type": "processes", "max_workers": 1})
    with working():
        assert _ended(deeds, run)[0] == "Success"
    lines = deeds.backend.list_logs(run)
    assert [line.message for line in lines if line.task == "act"] == ["Hello from the flow"]


def test_a_run_outlives_its_agent(deeds: Deeds) -> None:
    code = "import threading; from penstock_agent import Agent; Agent('short-lived').run(threading.Event())"
    agent = subprocess.Popen([sys.executable, "-c", code])
    run = deeds.ask("wait")
    until(deeds.hangs)
    agent.kill()
    agent.wait()
    killed = clock.now()
    until(lambda: _lease_expires(deeds, run) > killed + timedelta(seconds=30.05))
    (deeds.folder / "go").touch()
    assert _ended(deeds, run)[0] == "Success"


def _lease_expires(deeds: Deeds, run: str) -> datetime:
    """Return until when the lease of 30 s holds, straight from the database: the backend does not tell."""
    with closing(sqlite3.connect(deeds.folder.parent / "home" / "penstock.db")) as connection:
        (text,) = connection.execute("SELECT lease_expires FROM flow_runs WHERE id = ?", (run,)).fetchone()
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_process_of_a_run_that_was_given_up_ends(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("hang")
    with working():
        until(deeds.hangs)
        assert deeds.backend.end_lost_runs(datetime(2100, 1, 1, tzinfo=UTC)) == 1
        until(lambda: not _lives(deeds.pid()))
    assert _ended(deeds, run)[0] == "Failed"


def test_a_run_deleted_while_its_process_ends_harms_nobody(deeds: Deeds, working: Work) -> None:
    run = deeds.ask("wait")
    with working() as agent:
        until(deeds.hangs)
        deeds.backend.end_lost_runs(datetime(2100, 1, 1, tzinfo=UTC))
        deeds.backend.delete_flow_run(run)
        assert _ended(deeds, deeds.ask("log"))[0] == "Success"
        assert agent.thread.is_alive()
    with pytest.raises(errors.UnknownRunError):
        deeds.backend.get_flow_run(run)


def test_a_backend_that_cannot_be_used_at_all_ends_the_agent_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    backend = Backend.resolve(f"sqlite:///{tmp_path}/file/penstock.db")
    with pytest.raises(errors.BackendUnreachableError):
        Agent("ann", backend=backend).run(threading.Event())


def test_a_backend_that_was_away_leaves_processes_the_time_to_renew_their_leases(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(type(backend), "end_lost_runs", lambda _backend: asked.append(clock.monotonic()))

    def be_away() -> None:
        raise errors.BackendUnreachableError("away")

    with clock.use(VirtualClock()):
        agent = Agent("ann", backend=backend)
        agent._end_lost()
        agent._guarded(be_away)
        away = clock.monotonic()
        for _ in range(60):
            clock.sleep(1)
            agent._end_lost()
    assert asked[0] == away
    assert asked[1] >= away + 30


def test_an_agent_that_has_just_begun_gives_the_others_the_time_to_renew_their_leases(deeds: Deeds) -> None:
    with clock.use(VirtualClock()):
        run = deeds.ask("log")
        deeds.backend.claim("bob", lease_seconds=-1)  # the backend was away, and bob is about to try again
        agent = Agent("ann", backend=deeds.backend)
        agent._begin()
        for _ in range(30):
            agent._end_lost()
            assert deeds.backend.get_flow_run(run).state.type == "Submitted"
            clock.sleep(1)
        agent._end_lost()
    assert deeds.backend.get_flow_run(run).state.type == "Failed"


def test_a_run_that_cannot_be_started_harms_no_other(deeds: Deeds, working: Work) -> None:
    waits = deeds.ask("wait")
    deeds.register(run_config=LocalRun(env={"PYTHONHASHSEED": "no \0 can be passed on"}))
    with working():
        until(deeds.hangs)
        kind, message = _ended(deeds, deeds.ask("log"))
        assert (kind, "embedded null byte" in message) == ("Failed", True)
        (deeds.folder / "go").touch()
        assert _ended(deeds, waits)[0] == "Success"


def test_an_agent_turns_schedules_into_runs(backend: Backend, working: Work) -> None:
    class Plugin:
        @hookimpl
        def penstock_register_schedule(self) -> type[EveryMinute]:
            return EveryMinute

    with hooks.observing(Plugin()):
        backend.register_flow(FlowSpec(name="minutely", schedule=EveryMinute().spec()), project="tutorial")
        with working(labels=["nothing"]):
            until(lambda: len(backend.list_flow_runs("tutorial", "minutely")) == 10)


def test_labels_that_are_one_text_are_refused() -> None:
    with pytest.raises(TypeError, match="found the text 'gpu'"):
        Agent(labels="gpu")
