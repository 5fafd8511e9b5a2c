"""A crowd on one database: processes create, claim and report runs as fast as they can while others read.

`python -m tests.durability.crowd` has 16 processes create runs of their own and report them, three agents take what is
left for them, and two read all along, for half a minute on one SQLite file. It prints how long each kind of call took
(median, p99, longest), and exits with 1 if a call failed, or the database lacks what it acknowledged. `--database
postgresql` does so on a server; `--fault no-lock` plants a fault that has to be found.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest.mock import patch

from penstock import clock, errors, states
from penstock.backends.models import Log, StateReport
from penstock.spec import FlowSpec
from penstock_backend import SQLBackend, sqlite_file
from penstock_backend.testing import PostgreSQL

ROOT: Final = Path(__file__).parents[2]
TASKS: Final = 10
"""Task runs that are reported of each run, in one batch."""
_T = TypeVar("_T")


# the processes


@dataclass(slots=True)
class Part:
    """What one process did: seconds by kind of call, what failed, and the runs that it was told are there."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    created: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def timed(self, kind: str, call: Callable[..., _T], *arguments: Any, **more: Any) -> _T | None:
        """Return what *call* does, and note how long it took; if it fails, note how, and return None."""
        begun = time.perf_counter()
        try:
            return call(*arguments, **more)
        except errors.BackendError as error:
            self.failed[f"{kind}: {error}"[:200]] += 1
            return None
        finally:
            self.seconds.setdefault(kind, []).append(time.perf_counter() - begun)


def write(backend: SQLBackend, part: Part, name: str) -> None:
    """Create a run for oneself and one for the agents, and report on one's own."""
    for labels in ([name], []):
        made = part.timed("create", backend.create_flow_run, "crowd", "hello", labels=labels)
        part.created += [made.id] if made is not None else []
    report(backend, part, name, [name])


def report(backend: SQLBackend, part: Part, name: str, labels: list[str]) -> None:
    """Claim a run, and report its states, those of its tasks, and its lines."""
    for claim in part.timed("claim", backend.claim, name, labels) or ():
        run, failed = (claim.run.id, claim.fence), part.failed.total()
        part.timed("report", backend.report_states, *run, [_state(states.Running())])
        part.timed("batch", backend.report_states, *run, _tasks())
        part.timed("log", backend.report_logs, *run, [_line(number) for number in range(1, 6)])
        part.timed("report", backend.report_states, *run, [_state(states.Success())])
        part.ended += [claim.run.id] if part.failed.total() == failed else []


def read(backend: SQLBackend, part: Part, _name: str) -> None:
    """Look at runs, and at one of them closely."""
    for run in (part.timed("list", backend.list_flow_runs, limit=20) or ())[:1]:
        part.timed("list", backend.list_task_runs, run.id)
        part.timed("list", backend.list_logs, run.id)


def _state(state: states.State, index: int | None = None) -> StateReport:
    slug = None if index is None else "say-1"
    return StateReport(state=state.serialize(), timestamp=clock.now(), slug=slug, name=slug, map_index=index)


def _tasks() -> list[StateReport]:
    return [_state(kind, index) for index in range(TASKS) for kind in (states.Running(), states.Success())]


def _line(number: int) -> Log:
    return Log(sequence=number, timestamp=clock.now(), level="INFO", logger="penstock.task.say", message="said")


DEEDS: Final[dict[str, Callable[[SQLBackend, Part, str], None]]] = {
    "write": write,
    "agent": lambda backend, part, name: report(backend, part, name, []),
    "read": read,
}


def take_part(deed: str, name: str, url: str, seconds: float, fault: str | None) -> None:
    """Do a deed over and over, and print what came of it."""
    with ExitStack() as stack:
        if fault == "no-lock":
            stack.enter_context(patch.object(sqlite_file.SQLiteFile, "_exclusive", lambda _self: nullcontext()))
            stack.enter_context(patch.object(sqlite_file, "_WAIT_SECONDS", 0))
        backend, part = SQLBackend(url), Part()
        backend.list_projects()
        sys.stdin.readline()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            DEEDS[deed](backend, part, name)
        print(json.dumps([part.seconds, part.failed, part.created, part.ended]))


# the judge


@dataclass(frozen=True, slots=True)
class Wanted:
    """How large the crowd is, and where."""

    writers: int = 16
    agents: int = 3
    readers: int = 2
    seconds: float = 30
    database: str = "sqlite"
    fault: str | None = None


@dataclass(slots=True)
class Verdict:
    """What was counted; `faults` is empty if everything held."""

    part: Part
    faults: list[str]

    def text(self) -> str:
        """Say it for people: a line for each kind of call, in milliseconds."""
        lines = ["call      times  median      p99  longest   (ms)"]
        for kind, seconds in sorted(self.part.seconds.items()):
            cut = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
            figures = [1000 * one for one in (cut[49], cut[98], max(seconds))]
            lines.append(f"{kind:8}{len(seconds):7}{figures[0]:8.1f}{figures[1]:9.1f}{figures[2]:9.1f}")
        return "\n".join([*lines, *(f"  {fault}" for fault in self.faults or ["everything held"])])


def judged(wanted: Wanted) -> Verdict:
    """Let the crowd work, and compare what it was told with what the database says."""
    with _database(wanted.database) as url:
        backend = SQLBackend(url)
        backend.create_project("crowd")
        backend.register_flow(FlowSpec(name="hello"), project="crowd")
        crowd = {"write": wanted.writers, "agent": wanted.agents, "read": wanted.readers}
        whole = _together([(deed, f"{deed}-{n}") for deed, many in crowd.items() for n in range(many)], url, wanted)
        faults = [f"{count} times {what}" for what, count in whole.failed.most_common()]
        there = {run.id: run.state.type for run in backend.list_flow_runs(limit=10**9)}
        backend.close()
    lost = len(set(whole.created) - there.keys())
    open_ = sum(there.get(run) != "Success" for run in whole.ended)
    faults += [f"{lost} acknowledged runs are not there"] if lost else []
    faults += [f"{open_} runs whose end was acknowledged have not ended"] if open_ else []
    faults += ["a run was ended by two"] if len(set(whole.ended)) != len(whole.ended) else []
    return Verdict(whole, faults)


@contextlib.contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "postgresql":
        with PostgreSQL() as server:
            yield server.make_database()
        return
    with tempfile.TemporaryDirectory(prefix="penstock-crowd-") as folder:
        yield f"sqlite:///{folder}/penstock.db"


def _together(crowd: list[tuple[str, str]], url: str, wanted: Wanted) -> Part:
    command = [sys.executable, "-m", "tests.durability.crowd", "--url", url, "--seconds", str(wanted.seconds)]
    command += ["--fault", wanted.fault] if wanted.fault else []
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    started = [subprocess.Popen([*command, "--deed", deed, "--name", name], **pipes) for deed, name in crowd]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    whole = Part()
    for process in started:
        said, _ = process.communicate()
        if process.returncode:
            whole.failed[f"a process ended with {process.returncode}"] += 1
            continue
        seconds, failed, created, ended = json.loads(said)
        for kind, some in seconds.items():
            whole.seconds.setdefault(kind, []).extend(some)
        whole.failed.update(failed)
        whole.created += created
        whole.ended += ended
    return whole


def main() -> int:
    """Judge what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.crowd", description=__doc__)
    parser.add_argument("--writers", type=int, default=16, help="processes that create and report [16]")
    parser.add_argument("--seconds", type=float, default=30, help="how long [30]")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--fault", choices=["no-lock"], help="plant a fault, to be found")
    for name in ("--url", "--deed", "--name"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.url:
        take_part(chosen.deed, chosen.name, chosen.url, chosen.seconds, chosen.fault)
        return 0
    wanted = Wanted(chosen.writers, seconds=chosen.seconds, database=chosen.database, fault=chosen.fault)
    verdict = judged(wanted)
    print(verdict.text())
    return int(bool(verdict.faults))


if __name__ == "__main__":
    sys.exit(main())
