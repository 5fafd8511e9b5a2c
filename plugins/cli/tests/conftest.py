"""A home of its own for each test, and the command line as a function."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock import clock, get_backend, settings
from penstock.backends import Backend
from penstock.backends.models import Claim, Log, StateReport
from penstock.states import Failed, Mapped, Running, State, Success
from penstock_cli import main

CENSUS = """
from datetime import timedelta

import penstock
from penstock import Flow, Parameter, task, unmapped


@task
def find(limit):
    return list(range(limit))


@task(max_retries=1, retry_delay=timedelta(0))
def measure(number, bad):
    penstock.context.get("logger").info("measuring %d", number)
    if number == bad:
        raise ValueError("source contains null bytes")
    return number


@task
def rank(numbers):
    return sum(numbers)


with Flow("census") as flow:
    limit = Parameter("limit", default=3, type=int)
    bad = Parameter("bad", default=-1, type=int)
    rank(measure.map(find(limit), unmapped(bad)))
"""

GREETING = """
from penstock import Flow, Parameter, task


@task
def greet(name):
    print(f"Hello, {name!r}")


with Flow("greeting") as flow:
    greet(Parameter("name", type=str))
"""


@dataclass(frozen=True)
class Done:
    """What a command has ended with."""

    code: int
    out: str
    err: str


Penstock = Callable[..., Done]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home and working folder, without settings from outside."""
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))  # a flow's folder joins it
    with settings.override():
        yield tmp_path / "home"


@pytest.fixture
def penstock(capfd: pytest.CaptureFixture[str]) -> Penstock:
    """The command line, run in this process."""

    def call(*arguments: str) -> Done:
        capfd.readouterr()
        code = main.run(arguments)
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture
def census() -> Path:
    """A file with a flow that maps, retries, and fails where it is told to."""
    path = Path("census.py")
    path.write_text(CENSUS, encoding="utf-8")
    return path


@pytest.fixture
def greeting() -> Path:
    """A file with a flow that needs a text."""
    path = Path("greeting.py")
    path.write_text(GREETING, encoding="utf-8")
    return path


class Reporter:
    """Stands in for an agent: claims a run, and reports what it is told to."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def claim(self) -> Claim:
        """Take the run that is due; there has to be one."""
        (claim,) = self.backend.claim("stand-in")
        return claim

    def report(
        self, claim: Claim, state: State, task: str | None = None, index: int | None = None, **data: object
    ) -> None:
        """Report a state of the run, or of a task of it."""
        name = task if index is None else f"{task}[{index}]"
        report = StateReport(
            state={**state.serialize(), **data},
            timestamp=clock.now(),
            slug=f"{task}-1" if task else None,
            name=name,
            map_index=index,
        )
        self.backend.report_states(claim.run.id, claim.fence, [report])

    def log(
        self, claim: Claim, sequence: int, message: str, task: str | None = None, logger: str | None = None
    ) -> None:
        """Report a line of the log."""
        logger = logger or f"penstock.task.{task}"
        line = Log(sequence=sequence, timestamp=clock.now(), level="INFO", logger=logger, message=message, task=task)
        self.backend.report_logs(claim.run.id, claim.fence, [line])

    def run(self, *, fails: bool = False) -> None:
        """Run what is due as the census would: three children, the second of which may fail."""
        claim = self.claim()
        self.report(claim, Running())
        for index in range(3):
            self.report(claim, Running(), "measure", index)
            self.log(claim, index + 1, f"measuring {index}", f"measure[{index}]")
            failed = Failed("ValueError: null bytes") if fails and index == 1 else None
            self.report(claim, failed or Success(), "measure", index)
        self.report(claim, Mapped(n_map_states=3), "measure")
        self.report(claim, Failed("Some reference tasks failed.") if fails else Success())


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    """A stand-in for an agent."""
    backend = get_backend()
    yield Reporter(backend)
    backend.close()


@pytest.fixture
def registered(penstock: Penstock, census: Path) -> str:
    """The census, registered as `tutorial/census`."""
    assert penstock("register", str(census), "--project", "tutorial").code == 0
    return "tutorial/census"
