"""A flow that does the worst to its process ends in the right state with the cause, and the next run is fine."""

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock import get_backend, settings
from penstock.backends import Backend
from penstock.storage import load_flows
from penstock_agent import LocalRun

_FLOW = """
import ctypes, os, resource, shutil, signal, subprocess, sys, threading, time
from pathlib import Path
import penstock
from penstock import Flow, Parameter, task

@task
def poison(kind, seed):
    return getattr(Poisons, kind)(seed)

@task
def after(got):
    return "fine"

class Poisons:
    def none(seed):
        return seed

    def exit(seed):
        os._exit(3)

    def kill(seed):
        os.kill(os.getpid(), signal.SIGKILL)

    def crash(seed):
        ctypes.string_at(0)

    def memory(seed):
        limit = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 31, limit[1]))
        return len(bytearray(1 << 33))

    def unpicklable(seed):
        return threading.Lock()

    def recursion(seed):
        return Poisons.recursion(seed)

    def leave(seed):
        sys.exit(4)

    def interrupt(seed):
        raise KeyboardInterrupt

    def enormous(seed):
        logger = penstock.context["logger"]
        logger.info("x" * 20_000_000)
        for number in range(5_000):
            logger.info("%d %s", number, "y" * 100)

    def silence(seed):
        for file in (sys.stdout, sys.stderr):
            file.close()
        os.close(1)
        os.close(2)

    def fork(seed):
        child = os.fork()
        if not child:
            penstock.context["logger"].info("forked")
            time.sleep(600)
        (Path(seed) / "forked").write_text(str(child))

    def homeless(seed):
        shutil.rmtree(os.getcwd())

    def thread(seed):
        threading.Thread(target=time.sleep, args=(600,)).start()

    def surrogate(seed):
        penstock.context["logger"].info("half a pair: \\ud800, and nothing: \\0")
        raise ValueError("\\ud800")

with Flow("poison") as flow:
    after(poison(Parameter("kind"), Parameter("seed")))
"""


@dataclass(frozen=True)
class Dose:
    """A kind of poison, and how its run ends: the state, and a part of what is said of it."""

    kind: str
    ends: str
    says: str = ""
    executor: str | None = None


DOSES = (
    Dose("exit", "Failed", "ended with exit code 3 before the run did\nUnder way then: poison"),
    Dose("kill", "Failed", "signal 9 (SIGKILL): killed from outside, or out of memory\nUnder way then: poison"),
    Dose("crash", "Failed", "signal 11 (SIGSEGV): a crash in native code\nUnder way then: poison"),
    Dose("memory", "Failed", "MemoryError"),
    Dose("unpicklable", "Failed", "lock", executor="processes"),
    Dose("recursion", "Failed", "RecursionError: maximum recursion depth exceeded"),
    Dose("leave", "Failed", "SystemExit: 4"),
    Dose("interrupt", "Cancelled", "The run was interrupted."),
    Dose("enormous", "Success"),
    Dose("silence", "Success"),
    Dose("fork", "Success"),
    Dose("homeless", "Success"),
    Dose("thread", "Success"),
    Dose("surrogate", "Failed", "ValueError: ?"),
    Dose("none", "Success"),
)


@dataclass(frozen=True)
class Zoo:
    """What became of the doses that an agent was given one after the other."""

    backend: Backend
    folder: Path
    runs: dict[str, str]
    events: list[dict[str, Any]]

    def said(self, kind: str) -> str:
        """Return the messages of a run's state and of its task's."""
        run = self.runs[kind]
        tasks = [one.state.message for one in self.backend.list_task_runs(run) if one.name == "poison"]
        return "\n".join(map(str, [self.backend.get_flow_run(run).state.message, *tasks]))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_HOME", str(folder / "home"))
        patch.setenv("PENSTOCK_AGENT__GRACE_SECONDS", "60")
        patch.setenv("PENSTOCK_LOGGING__LEVEL", "INFO")
        with settings.override():
            backend = get_backend()
            (folder / "zoo.py").write_text(_FLOW, encoding="utf-8")
            flow = load_flows(folder / "zoo.py")["poison"]
            runs = {dose.kind: _asked(backend, flow, dose, folder) for dose in DOSES}
            program = str(Path(sysconfig.get_path("scripts"), "penstock"))
            command = [program, "agent", "start", "--until-idle", "--limit", "2", "--json"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
            yield Zoo(backend, folder, runs, [json.loads(line) for line in done.stdout.splitlines()])
            backend.close()


def _asked(backend: Backend, flow: Any, dose: Dose, folder: Path) -> str:
    """Give a run of the flow a working folder of its own, and return its id."""
    place = folder / dose.kind
    place.mkdir()
    flow.run_config = LocalRun(working_dir=str(place))
    flow.register("zoo")
    executor = {"type": dose.executor} if dose.executor else None
    parameters = {"kind": dose.kind, "seed": str(folder)}
    return backend.create_flow_run("zoo", "poison", parameters=parameters, executor=executor).id


@pytest.mark.parametrize("dose", DOSES, ids=[dose.kind for dose in DOSES])
def test_a_run_ends_in_the_right_state_with_its_cause(zoo: Zoo, dose: Dose) -> None:
    kinds = [state.type for state in zoo.backend.list_states(zoo.runs[dose.kind])]
    assert (kinds[-1], len(set(kinds))) == (dose.ends, 4), zoo.said(dose.kind)
    assert dose.says in zoo.said(dose.kind)


def test_the_agent_heard_of_each_end_and_nothing_is_left(zoo: Zoo) -> None:
    ended = {event["run"]["id"]: event["state"]["type"] for event in zoo.events if event["event"] == "ended"}
    assert ended == {zoo.runs[dose.kind]: dose.ends for dose in DOSES}
    assert list((zoo.folder / "home" / "spool").iterdir()) == []


def test_an_enormous_log_is_there_with_what_was_cut_marked(zoo: Zoo) -> None:
    lines, after = [], 0
    while page := zoo.backend.list_logs(zoo.runs["enormous"], after=after):
        lines += page
        after += len(page)
    told = [line.message for line in lines if line.task == "poison"]
    assert told[0].endswith("more characters]")
    assert [int(message.split()[0]) for message in told[1:]] == list(range(5_000))


def test_a_forked_child_logs_too_and_ends_with_the_run(zoo: Zoo) -> None:
    assert "forked" in [line.message for line in zoo.backend.list_logs(zoo.runs["fork"])]
    child = Path("/proc", (zoo.folder / "forked").read_text(encoding="utf-8"), "stat")
    assert not child.exists() or child.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
