"""Many agents and schedulers work off runs in one database while some are killed, paused and cut off.

`python -m tests.durability.claims` has five processes claim, run and report 10,000 runs in PostgreSQL, beside two that
schedule and end what is lost; 40 of the five are killed, and paused beyond their lease for one run in a hundred. A
ledger that each process appends to is compared with what the database says in the end: every run has ended, none was
accepted twice, none was begun twice without a fault, and every late report was refused. `--restart` restarts the
server every few seconds, `--database sqlite` works on a file, `--fault NAME` plants a fault that has to be found.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from penstock import clock, errors, states
from penstock.backends.models import StateReport
from penstock.spec import FlowSpec
from penstock_backend import SQLBackend, leases, maintenance, runs, transitions
from penstock_backend.backend import database_at
from penstock_backend.testing import PostgreSQL

FAULTS: Final = ("no-lock", "no-end")
ROOT: Final = Path(__file__).parents[2]
LEASE: Final = 3.0
PATIENCE: Final = 300
"""Seconds without a run that ends after which the judge gives up."""


# the processes under test


def work(url: str, name: str, ledger: Path, seconds: float, fault: str | None) -> None:
    """Claim, run for *seconds*, and report, until killed."""
    with ExitStack() as stack:
        plant(stack, fault)
        backend = SQLBackend(url)
        note = _Ledger(ledger)
        while True:
            claims = _persistently(lambda: backend.claim(name, limit=4, lease_seconds=LEASE))
            for claim in claims:
                note("began", claim.run.id, claim.fence)
                for state, afterwards in ((states.Running(), seconds), (states.Success(), 0)):
                    report = StateReport(state=state.serialize(), timestamp=clock.now())
                    try:
                        _persistently(lambda r=report, c=claim: backend.report_states(c.run.id, c.fence, [r]))
                    except (errors.LeaseLostError, errors.ConflictError):
                        note("refused", claim.run.id, claim.fence)
                        break
                    time.sleep(afterwards)
                else:
                    note("accepted", claim.run.id, claim.fence)
            if not claims:
                time.sleep(0.05)


def look_after(url: str) -> None:
    """Schedule, and end what is lost, as any number of processes may."""
    backend = SQLBackend(url)
    while True:
        _persistently(backend.schedule_due)
        _persistently(backend.end_lost_runs)
        time.sleep(0.2)


def _persistently(call: Any) -> Any:
    """Call until the backend answers, as agents and flow-run processes do."""
    while True:
        try:
            return call()
        except errors.BackendUnreachableError:
            time.sleep(0.1)


class _Ledger:
    """Lines in a file that several processes append to, each with one write."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __call__(self, what: str, run: str, fence: int) -> None:
        os.write(self._file, f"{what} {run} {fence}\n".encode())


def plant(stack: ExitStack, fault: str | None) -> None:
    """Plant a fault: claims that lock nothing, or reports that are taken whoever sends them, and after an end."""
    if fault is not None:  # the guard in the database
        stack.enter_context(patch.object(runs.store, "__defaults__", (runs._REOPEN,)))
    if fault == "no-lock":
        stack.enter_context(patch.object(leases, "due_locked", _due_slowly))
    if fault == "no-end":
        stack.enter_context(patch.object(leases, "held", lambda connection, run, _: runs.find_locked(connection, run)))
        stack.enter_context(patch.object(transitions, "judge", lambda _old, _new: "take"))


def _due_slowly(*given: Any) -> Any:
    """Return what is due without a lock, and late enough for another process to have seen it as well."""
    found = leases.due(*given)
    time.sleep(0.02)
    return found


# the judge

_WENT_ON: Final = (
    "SELECT count(DISTINCT flow_run_id) FROM flow_run_states JOIN flow_runs ON flow_runs.id = flow_run_id "
    "WHERE flow_run_states.state_type IN ('Success', 'Failed') "
    "AND flow_run_states.state_version < flow_runs.state_version"
)


@dataclass(slots=True)
class Verdict:
    """What was counted; `faults` is empty if everything held."""

    runs: int
    seconds: float
    kills: int = 0
    pauses: int = 0
    restarts: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the verdict as lines."""
        harm = f"{self.kills} kills, {self.pauses} pauses, {self.restarts} restarts"
        done = f"{self.runs} runs in {self.seconds:.0f} s, {harm}"
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return "\n".join([f"{done}: {counted}", *(self.faults or ["everything held"])])


@dataclass(slots=True)
class Wanted:
    """What the command line asks for."""

    database: str = "postgresql"
    runs: int = 10_000
    workers: int = 5
    schedulers: int = 2
    kills: int = 40
    pauses: float = 0.01
    seconds: float = 0.01
    restart: bool = False
    fault: str | None = None
    seed: int = 1


class Judge:
    """Runs the processes, harms them, and compares ledger and database."""

    def __init__(self, wanted: Wanted, url: str, folder: Path, server: PostgreSQL | None) -> None:
        self._wanted, self._url, self._server = wanted, url, server
        self._ledger = folder / "ledger"
        self._ledger.touch()
        self._chance = random.Random(wanted.seed)  # noqa: S311 - moments that can be had again
        self._workers: list[subprocess.Popen[bytes]] = []
        self._others: list[subprocess.Popen[bytes]] = []
        self._began = 0
        self._every = max(wanted.runs // (wanted.kills + 1), 1)
        self._kept_back = self._every if wanted.kills else 0
        """Runs that are made after the last kill, so that each kill comes before the end, however fast runs are."""
        self._made: set[str] = set()

    def judge(self) -> Verdict:
        """Work off the runs, and return what was counted."""
        begun = time.monotonic()
        self._create(self._wanted.runs - self._kept_back)
        verdict = Verdict(self._wanted.runs, 0)
        try:
            self._workers = [self._start("work", f"agent-{n}") for n in range(self._wanted.workers)]
            self._others = [self._start("look-after") for _ in range(self._wanted.schedulers)]
            self._harm_until_done(verdict)
            self._check_alive(verdict)
        finally:
            for process in [*self._workers, *self._others]:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        self._compare(verdict)
        verdict.seconds = time.monotonic() - begun
        return verdict

    def _create(self, count: int) -> None:
        backend = SQLBackend(self._url)
        if not self._made:
            backend.create_project("tutorial")
            backend.register_flow(FlowSpec(name="hello"), project="tutorial")
        self._made.update(backend.create_flow_run("tutorial", "hello").id for _ in range(count))
        backend.close()

    def _start(self, what: str, name: str = "") -> "subprocess.Popen[bytes]":
        self._began += 1
        wanted = self._wanted
        given = json.dumps([what, self._url, f"{name}-{self._began}", str(self._ledger), wanted.seconds, wanted.fault])
        return subprocess.Popen([sys.executable, "-m", "tests.durability.claims", "--process", given], cwd=ROOT)

    def _harm_until_done(self, verdict: Verdict) -> None:
        pausing = max(int(1 / self._wanted.pauses) * 4, 1) if self._wanted.pauses else 0
        next_kill, next_pause, next_restart = self._every, pausing, time.monotonic() + 5
        paused: list[tuple[float, subprocess.Popen[bytes]]] = []
        quiet_since, last = time.monotonic(), 0
        while (ended := self._ended()) < self._wanted.runs:
            if ended != last:
                quiet_since, last = time.monotonic(), ended
            elif time.monotonic() - quiet_since > PATIENCE or all(one.poll() is not None for one in self._workers):
                verdict.faults.append(f"{self._wanted.runs - ended} runs never ended")
                return
            if verdict.kills < self._wanted.kills and ended >= next_kill:
                next_kill += self._every
                verdict.kills += 1
                self._kill_one()
                if verdict.kills == self._wanted.kills:
                    self._create(self._kept_back)
            if pausing and ended >= next_pause:
                next_pause += pausing
                verdict.pauses += 1
                victim = self._chance.choice(self._workers)
                victim.send_signal(signal.SIGSTOP)
                paused.append((time.monotonic() + LEASE * 1.5, victim))
            while paused and paused[0][0] < time.monotonic():
                paused.pop(0)[1].send_signal(signal.SIGCONT)
            if self._wanted.restart and self._server is not None and time.monotonic() > next_restart:
                next_restart = time.monotonic() + self._chance.uniform(5, 40)
                verdict.restarts += 1
                self._server.stop_at_once()
                self._server.start()
            time.sleep(0.1)
        for _, victim in paused:
            victim.send_signal(signal.SIGCONT)
        time.sleep(LEASE)  # for what late processes still have to say

    def _kill_one(self) -> None:
        position = self._chance.randrange(len(self._workers))
        self._workers[position].kill()
        self._workers[position].wait()
        self._workers[position] = self._start("work", f"agent-{position}")

    def _ended(self) -> int:
        """Return how many runs have ended, as far as the database can say now."""
        database = database_at(self._url)
        try:
            with database.reading() as connection:
                query = "SELECT count(*) FROM flow_runs WHERE state_type IN ('Success', 'Failed')"
                return int(connection.exec_driver_sql(query).scalar_one())
        except errors.BackendUnreachableError:
            return 0
        finally:
            database.close()

    def _check_alive(self, verdict: Verdict) -> None:
        died = [process.pid for process in [*self._workers, *self._others] if process.poll() is not None]
        verdict.faults += [f"process {pid} exited" for pid in died]

    def _compare(self, verdict: Verdict) -> None:
        said = [line.split() for line in self._ledger.read_text(encoding="utf-8").splitlines()]
        began = Counter(run for what, run, _ in said if what == "began")
        accepted = Counter(run for what, run, _ in said if what == "accepted")
        backend = SQLBackend(self._url)
        kept = {run.id: run.state.type for run in backend.list_flow_runs(limit=10 * self._wanted.runs)}
        backend.close()
        database = database_at(self._url)
        verdict.faults += maintenance.check(database).faults
        with database.reading() as connection:
            went_on = int(connection.exec_driver_sql(_WENT_ON).scalar_one())
        database.close()
        twice = sum(count - 1 for count in began.values() if count > 1)
        harm = (verdict.kills + verdict.pauses + verdict.restarts) * 4  # each process holds up to four runs
        verdict.counts = Counter(kept.values())
        verdict.counts["refused late"] = sum(what == "refused" for what, _, _ in said)
        verdict.counts["begun twice"] = twice
        for faulty, what in (
            (len(self._made - kept.keys()), "runs that were acknowledged are gone"),
            (sum(state not in ("Success", "Failed") for state in kept.values()), "runs have not ended"),
            (sum(count > 1 for count in accepted.values()), "runs were accepted twice"),
            (sum(kept.get(run) != "Success" for run in accepted), "runs were accepted and are not Success"),
            (went_on, "runs went on after their end"),
            (max(twice - harm, 0), f"runs were begun twice beyond the {harm} that faults explain"),
        ):
            if faulty:
                verdict.faults.append(f"{faulty} {what}")


@contextlib.contextmanager
def place(database: str) -> Iterator[tuple[str, Path, PostgreSQL | None]]:
    """Give the URL of an empty database, a folder, and the server if there is one."""
    with tempfile.TemporaryDirectory(prefix="penstock-claims-") as folder, ExitStack() as stack:
        if database == "sqlite":
            yield f"sqlite:///{folder}/penstock.db", Path(folder), None
        else:
            server = stack.enter_context(PostgreSQL())
            yield server.make_database(), Path(folder), server


def judged(wanted: Wanted) -> Verdict:
    """Return the verdict on what is *wanted*."""
    with place(wanted.database) as (url, folder, server):
        return Judge(wanted, url, folder, server).judge()


def main() -> int:
    """Judge what the command line asks for, or be one of the processes."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.claims", description=__doc__)
    usual = Wanted()
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default=usual.database)
    for name in ("runs", "workers", "schedulers", "kills", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name), metavar="N")
    parser.add_argument("--pauses", type=float, default=usual.pauses, help="for which part of the runs [0.01]")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="that a run takes [0.01]")
    parser.add_argument("--restart", action="store_true", help="restart the server every 5 to 40 s")
    parser.add_argument("--fault", choices=FAULTS, help="plant a fault")
    parser.add_argument("--process", help=argparse.SUPPRESS)
    chosen = vars(parser.parse_args())
    process = chosen.pop("process")
    if process is not None:
        what, url, name, ledger, seconds, fault = json.loads(process)
        work(url, name, Path(ledger), seconds, fault) if what == "work" else look_after(url)
        return 0
    wanted = Wanted(**chosen)
    if wanted.kills >= wanted.runs:
        parser.error(f"--kills {wanted.kills} of --runs {wanted.runs}: expected fewer kills than runs")
    verdict = judged(wanted)
    print(verdict.text())
    return int(bool(verdict.faults))


if __name__ == "__main__":
    sys.exit(main())
