"""A scene for judges: a home, a flow whose tasks write a ledger, agents as processes of their own, and a backend.

The ledger is a file that tasks append to, outside of penstock: what it says is compared with what the backend says.
"""

import os
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest.mock import patch

from penstock import get_backend, settings
from penstock.storage import load_flows

if TYPE_CHECKING:
    from penstock.backends import Backend
    from penstock.backends.models import FlowRun

PLANTED: Final = Path(__file__).parent / "planted_in_agents"
_SECONDS: Final = {"LEASE": "12", "HEARTBEAT": "1", "GRACE": "1", "POLL": "0.1"}
_FLOW: Final = """
import os, re, signal, subprocess, sys, time
import penstock
from penstock import Flow, Parameter, task

class Ledger:
    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, *words):
        os.write(self.file, " ".join(map(str, (time.time(), penstock.context["flow_run_id"], *words, "\\n"))).encode())

@task
def begin(what, ledger):
    Ledger(ledger).note("process", os.getpid())
    if what in ("child", "hang"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Ledger(ledger).note("process", child.pid)

@task
def step(number, what, ledger):
    book = Ledger(ledger)
    book.note("step", number)
    if number == 0 and what in DEEDS:
        DEEDS[what]()
    for line in range(20):
        penstock.context["logger"].info("step %d line %d", number, line)
        book.note("line", number, line)
        time.sleep(0.005 if what != "slow" else 0.25)

def defy():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(600)

def spin():
    while True:
        pass

DEEDS = {
    "hang": lambda: time.sleep(600),
    "spin": spin,
    "native": lambda: re.match("(a?){40}a{40}", "a" * 40),
    "defy": defy,
}

with Flow("acts") as flow:
    what, steps, ledger = Parameter("what"), Parameter("steps"), Parameter("ledger")
    begun = begin(what, ledger)
    step.map(steps, penstock.unmapped(what), penstock.unmapped(ledger), upstream_tasks=[penstock.unmapped(begun)])
"""


class Entry(NamedTuple):
    """A line of the ledger."""

    time: float
    run: str
    kind: str
    words: tuple[str, ...]


class Agent(subprocess.Popen[bytes]):
    """An agent in a process of its own."""

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        """Start it, and return once it says so."""
        program = str(Path(sysconfig.get_path("scripts"), "penstock"))
        command = [program, "agent", "start", "--name", name, "--limit", str(limit), "--json"]
        said = folder / f"{name}.said"
        with said.open("wb") as file:
            super().__init__(command, stdout=file, stderr=subprocess.DEVNULL, start_new_session=True)
        until(lambda: b'"started"' in said.read_bytes() or self.poll() is not None, 60)
        if self.poll() is not None:
            message = f"agent {name} ended with {self.returncode} before it had begun"
            raise RuntimeError(message)


class Scene:
    """A home with the flow registered, and what happened in it."""

    def __init__(self, folder: Path) -> None:
        """Register the flow."""
        self.folder = folder
        self.ledger = folder / "ledger"
        self.ledger.touch()
        script = folder / "acts.py"
        script.write_text(_FLOW, encoding="utf-8")
        load_flows(script)["acts"].register("house")
        self.backend: Backend = get_backend()
        self._agents: list[Agent] = []

    def agent(self, name: str = "ann", limit: int = 8) -> Agent:
        """Start an agent, which ends with the scene at the latest."""
        agent = Agent(self.folder, name, limit)
        self._agents.append(agent)
        return agent

    def ask(self, what: str = "steps", steps: int = 8) -> str:
        """Create a run, and return its id."""
        parameters = {"what": what, "steps": list(range(steps)), "ledger": str(self.ledger)}
        return self.backend.create_flow_run("house", "acts", parameters=parameters).id

    def entries(self, run: str, kind: str) -> list[Entry]:
        """Return what the ledger says of a run."""
        found = [line.split() for line in self.ledger.read_text(encoding="utf-8").splitlines()]
        return [Entry(float(one[0]), one[1], one[2], tuple(one[3:])) for one in found if one[1:3] == [run, kind]]

    def processes(self, run: str) -> list[int]:
        """Return the numbers of a run's process and of what it started."""
        return [int(entry.words[0]) for entry in self.entries(run, "process")]

    def begun(self, run: str, steps: int = 1, seconds: float = 60) -> bool:
        """Wait until so many steps of a run have begun; return whether they have."""
        return until(lambda: len(self.entries(run, "step")) >= steps, seconds)

    def ended(self, run: str, seconds: float) -> "FlowRun | None":
        """Wait until a run has ended, and return it if it does."""
        try:
            return self.backend.wait_for_flow_run(run, seconds)
        except TimeoutError:
            return None

    def fault(self, run: str, *types: str, seconds: float) -> str | None:
        """Return what is wrong with how a run ends, or None: its state, how often and how soon, and what it leaves."""
        found = self.ended(run, seconds)
        if found is None:
            return f"no verdict in {seconds:.0f} s"
        if found.state.type not in types:
            return f"{found.state.type} and not {' or '.join(types)}: {found.state.message}"
        kinds = [state.type for state in self.backend.list_states(run)]
        if sum(kind in ("Success", "Failed", "Cancelled") for kind in kinds) != 1:
            return f"it ended more than once: {kinds}"
        steps = [entry.words for entry in self.entries(run, "step")]
        if len(set(steps)) != len(steps):
            return "a task ran twice"
        if not until(lambda: not any(map(lives, self.processes(run))), 10):
            return "a process was left"
        return None

    def has_run(self, run: str, steps: int) -> bool:
        """Return whether the flow has come to its last line."""
        return any(entry.words == (str(steps - 1), "19") for entry in self.entries(run, "line"))

    def lost_lines(self, run: str, before: float) -> int:
        """Return how many lines that the flow logged before the time *before* the backend has not."""
        logged = {" ".join(entry.words) for entry in self.entries(run, "line") if entry.time < before}
        kept = {line.message.replace("step ", "").replace("line ", "") for line in self._logs(run)}
        return len(logged - kept)

    def _logs(self, run: str) -> Iterator[Any]:
        after = 0
        while lines := self.backend.list_logs(run, after=after):
            after += len(lines)
            yield from lines

    def close(self) -> None:
        """End every agent, and with the ledger's help what they left."""
        for agent in self._agents:
            agent.terminate()
        for agent in self._agents:
            try:
                agent.wait(20)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait()
        for line in self.ledger.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[2] == "process" and lives(int(words[3])):
                os.kill(int(words[3]), signal.SIGKILL)
        self.backend.close()


@contextmanager
def scene(fault: str | None = None, home: Path | None = None, **seconds: str) -> Iterator[Scene]:
    """Give a scene in a folder of its own; *fault* is planted into its agents and processes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-scene-")))
        environ = {f"PENSTOCK_AGENT__{name}_SECONDS": value for name, value in {**_SECONDS, **seconds}.items()}
        environ |= {"PENSTOCK_HOME": str(home or folder / "home"), "PENSTOCK_LOGGING__LEVEL": "INFO"}
        environ |= {"PENSTOCK_FLOWS__CHECKPOINTING": "false", "PENSTOCK_SCHEDULER__INTERVAL_SECONDS": "1"}
        if fault is not None:
            path = os.pathsep.join(filter(None, [str(PLANTED), os.environ.get("PYTHONPATH")]))
            environ |= {"PLANTED_FAULT": fault, "PYTHONPATH": path}
        stack.enter_context(patch.dict(os.environ, environ))
        stack.enter_context(settings.override())
        made = Scene(folder)
        stack.callback(made.close)
        yield made


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until *condition* holds; return whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def lives(pid: int) -> bool:
    """Return whether a process is there and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def killed(pid: int) -> None:
    """Kill a process, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
