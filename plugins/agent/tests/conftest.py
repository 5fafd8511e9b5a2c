import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from penstock import clock, get_backend, settings
from penstock.backends import Backend
from penstock.storage import load_flows
from penstock_agent import Agent

if TYPE_CHECKING:
    from penstock_agent.events import Event

SECONDS = 90
"""How long a test waits for what should come soon, on a busy machine."""
_FLOWS = """
import os, signal, subprocess, sys, time
from pathlib import Path
import penstock
from penstock import Flow, Parameter, task

@task(name="act")
def act(what, folder):
    folder = Path(folder)
    (folder / "pid").write_text(str(os.getpid()))
    getattr(Deeds, what)(folder)
    return "a value that nobody may see"

class Deeds:
    def log(folder):
        penstock.context.get("logger").info("Hello from %s", "the flow")
        print("printed text")

    def fail(folder):
        secret_variable_name = {"limit": 3}
        raise LookupError("nothing there")

    def exit(folder):
        os._exit(3)

    def die(folder):
        logger = penstock.context.get("logger")
        for number in range(100):
            logger.info("line %d", number)
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(folder):
        penstock.context.get("logger").info("hanging")
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (folder / "child").write_text(str(child.pid))
        (folder / "hangs").touch()
        try:
            time.sleep(600)
        finally:
            (folder / "cleaned").touch()

    def defy(folder):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (folder / "hangs").touch()
        time.sleep(600)

    def wait(folder):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (folder / "child").write_text(str(child.pid))
        (folder / "hangs").touch()
        while not (folder / "go").exists():
            time.sleep(0.02)

    def interrupt(folder):
        raise KeyboardInterrupt

    def count(folder):
        with open(folder / "ledger", "a") as ledger:
            print("begin", file=ledger, flush=True)
            time.sleep(0.1)
            print("end", file=ledger, flush=True)

    def tell(folder):
        token = penstock.context.secrets["TOKEN"]
        (folder / "token").write_text(token)
        penstock.context.get("logger").info("the token is %s", token)
        print("printed", token)
        raise ValueError(f"401: {token} is not welcome")

    def look(folder):
        (folder / "seen").write_text(f"{os.getcwd()} {os.environ.get('COLOUR')} {os.environ.get('PYTHONHASHSEED')}")

with Flow("deeds") as flow:
    act(Parameter("what"), Parameter("folder"))
"""


def until(condition: Callable[[], Any]) -> Any:
    """Return what *condition* gives once that is true."""
    deadline = clock.monotonic() + SECONDS
    while not (found := condition()):
        assert clock.monotonic() < deadline, "it did not come about"
        clock.sleep(0.02)
    return found


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENSTOCK_AGENT__GRACE_SECONDS", "1")
    monkeypatch.setenv("PENSTOCK_AGENT__POLL_SECONDS", "0.02")
    monkeypatch.setenv("PENSTOCK_AGENT__HEARTBEAT_SECONDS", "0.1")
    with settings.override():
        backend = get_backend()
        backend.create_project("tutorial")
        yield backend
        backend.close()


class Deeds:
    """The flow of these tests, registered, and the folder that it works in."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        folder.mkdir()
        self.backend, self.folder = backend, folder
        script = folder / "deeds.py"
        script.write_text(_FLOWS, encoding="utf-8")
        self.flow = load_flows(script)["deeds"]

    def register(self, **options: Any) -> None:
        for name, value in options.items():
            setattr(self.flow, name, value)
        self.flow.register("tutorial")

    def ask(self, what: str, **options: Any) -> str:
        """Create a run that does *what*, and return its id."""
        parameters = {"what": what, "folder": str(self.folder)}
        return self.backend.create_flow_run("tutorial", "deeds", parameters=parameters, **options).id

    def pid(self, of: str = "pid") -> int:
        return int(until(lambda: (self.folder / of).exists() and (self.folder / of).read_text()))

    def hangs(self) -> bool:
        return (self.folder / "hangs").exists()


@pytest.fixture
def deeds(backend: Backend, tmp_path: Path) -> Deeds:
    deeds = Deeds(backend, tmp_path / "deeds")
    deeds.register()
    return deeds


class Running:
    """An agent at work on a thread, with what it told."""

    def __init__(self, **options: Any) -> None:
        self.events: list[Event] = []
        self.stop = threading.Event()
        agent = Agent("ann", tell=self.events.append, **options)
        self.thread = threading.Thread(target=agent.run, args=(self.stop,))

    def end(self) -> None:
        self.stop.set()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


@pytest.fixture
def working(backend: Backend) -> Callable[..., Any]:
    @contextmanager
    def work(**options: Any) -> Iterator[Running]:
        running = Running(backend=backend, **options)
        running.thread.start()
        try:
            yield running
        finally:
            running.end()

    return work
