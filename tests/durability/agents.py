"""Kill agents and the processes of runs, take the backend away, stop and cancel, and see how the runs end.

`python -m tests.durability.agents --part flow --rounds 200` kills processes of runs; `agent` kills agents alone, `both`
agents and processes, `pause` lets agents stand still, `signals` stops agents, `cancel` cancels, `outage` takes the
backend away for a minute, `disk` fills the disk that it is on. It prints what was wrong how often, and exits with 1 if
anything was. `--fault` plants one that the judge has to find.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import filelock

from penstock import errors
from tests.durability.scenes import Scene, killed, lives, scene

Verdicts = Iterator[str | None]
TOLD_SECONDS: Final = 5
"""How soon a killed process is noticed by its agent."""
LEASE_SECONDS: Final = 25
"""How soon a run ends that nobody holds any more: its lease of 12 s, the looks of an agent, and a slow machine."""


def flow(chosen: argparse.Namespace, chance: random.Random) -> Verdicts:
    """Kill the process of a run: it is Failed before long, with every line that it logged half a second before."""
    with scene(chosen.fault) as here:
        here.agent()
        for _ in range(chosen.rounds):
            run = here.ask(chance.choice(["steps", "child"]))
            if not here.begun(run):
                yield "it did not begin"
                continue
            time.sleep(chance.uniform(0, 0.6))
            killed(here.processes(run)[0])
            at = time.time()
            fault = here.fault(run, *_ends(here, run, 8), seconds=TOLD_SECONDS)
            lost = here.lost_lines(run, at - 0.5), here.lost_lines(run, at)
            yield fault or (f"lost {lost[0]} lines that were old, {lost[1]} in all" if any(lost) else None)


def _ends(here: Scene, run: str, steps: int) -> list[str]:
    """Return how a run whose process was killed may end: well only if all its work was done before."""
    return ["Failed", "Success"] if here.has_run(run, steps) else ["Failed"]


def agent(chosen: argparse.Namespace, chance: random.Random) -> Verdicts:
    """Kill one agent after the other: the runs that their processes have begun go on and succeed, each task once."""
    with scene(chosen.fault) as here:
        runs = []
        for number in range(chosen.rounds):
            one = here.agent(f"ann-{number}")
            runs.append(here.ask("slow", steps=3))
            here.begun(runs[-1])
            time.sleep(chance.uniform(0, 0.5))
            one.kill()
        here.agent("bob")
        for run in runs:
            fault = here.fault(run, "Success", seconds=60)
            lost = here.lost_lines(run, time.time())
            yield fault or (f"lost {lost} lines" if lost else None)


def both(chosen: argparse.Namespace, chance: random.Random) -> Verdicts:
    """Kill an agent and some of its processes, in any order: each run ends once and in time, and leaves nothing."""
    with scene(chosen.fault) as here:
        one = here.agent("ann")
        for number in range(chosen.rounds):
            runs = [here.ask(chance.choice(["child", "steps"]), steps=20) for _ in range(2)]
            for run in runs:
                here.begun(run)
            time.sleep(chance.uniform(0, 0.3))
            doomed = runs[: chance.randint(1, 2)]
            victims = [one.pid, *(here.processes(run)[0] for run in doomed)]
            chance.shuffle(victims)
            for victim in victims:
                killed(victim)
                time.sleep(chance.choice([0, 0, 0.1]))
            one = here.agent(f"bob-{number}")
            faults = [
                here.fault(run, *(_ends(here, run, 20) if run in doomed else ["Success"]), seconds=LEASE_SECONDS)
                for run in runs
            ]
            yield next(filter(None, faults), None)


def pause(chosen: argparse.Namespace, chance: random.Random) -> Verdicts:
    """Let an agent stand still for longer than its leases: its runs end well meanwhile, and it goes on afterwards."""
    with scene(chosen.fault) as here:
        one = here.agent()
        for number in range(chosen.rounds):
            runs = [here.ask("steps"), here.ask("steps", steps=2), here.ask("slow", steps=3)]
            for run in runs:
                here.begun(run)
            time.sleep(chance.uniform(0, 0.5))
            with _nobody_writes(here):  # or it would keep the lock, and nobody could write at all
                one.send_signal(signal.SIGSTOP)
            other = here.agent(f"bob-{number}")  # it ends what loses its lease
            faults = [here.fault(run, "Success", seconds=LEASE_SECONDS) for run in runs]
            other.terminate()
            other.wait()
            one.send_signal(signal.SIGCONT)
            runs.append(here.ask("steps"))
            faults.append(here.fault(runs[-1], "Success", seconds=LEASE_SECONDS))
            lost = sum(here.lost_lines(run, time.time()) for run in runs)
            yield next(filter(None, faults), f"lost {lost} lines" if lost else None)


def signals(chosen: argparse.Namespace, chance: random.Random) -> Verdicts:
    """Stop an agent with runs in flight: it ends well and in time, and no run is left under way."""
    with scene(chosen.fault) as here:
        for number in range(chosen.rounds):
            one = here.agent(f"ann-{number}")
            runs = [here.ask("hang"), here.ask("steps", steps=3), here.ask("defy")]
            for run in runs:
                here.begun(run)
            time.sleep(chance.uniform(0, 0.3))
            one.send_signal(signal.SIGTERM if number % 2 else signal.SIGINT)
            try:
                code = one.wait(20)
            except subprocess.TimeoutExpired:
                yield "the agent did not end"
                continue
            faults = [here.fault(run, *kinds, seconds=0) for run, kinds in zip(runs, _STOPPED, strict=True)]
            yield next(filter(None, faults), f"the agent ended with {code}" if code else None)


_STOPPED: Final = (["Failed"], ["Success", "Failed"], ["Failed"])


def cancel(chosen: argparse.Namespace, _chance: random.Random) -> Verdicts:
    """Cancel what sleeps, spins, is in native code, defies, is mapped, waits, or has ended."""
    with scene(chosen.fault) as here:
        here.agent(limit=6)
        for _ in range(chosen.rounds):
            runs = {what: here.ask(what) for what in ("hang", "spin", "native", "defy")}
            runs["mapped"] = here.ask("slow", steps=50)
            for run in runs.values():
                here.begun(run)
            done = here.ask("steps", steps=1)
            here.ended(done, 30)
            held = [here.ask("slow", steps=50), here.ask("slow", steps=50)]  # one finds a place, the other waits
            for run in (*runs.values(), *held, done):
                here.backend.cancel_flow_run(run)
            for what, run in runs.items():
                fault = here.fault(run, "Cancelled", seconds=TOLD_SECONDS + 5)
                yield fault and f"{what}: {fault}"
            for run in held:
                yield here.fault(run, "Cancelled", seconds=TOLD_SECONDS + 5)
            yield here.fault(done, "Success", seconds=0)


def outage(chosen: argparse.Namespace, _chance: random.Random) -> Verdicts:
    """Let nobody write to the backend for a while, with runs under way: all end well, with every line."""
    with scene(chosen.fault) as here:
        one = here.agent()
        runs = [here.ask("slow", steps=steps) for steps in (4, 8, 12, 16, 20)]
        for run in runs:
            here.begun(run)
        with _nobody_writes(here):
            time.sleep(chosen.seconds)
        faults = [here.fault(run, "Success", seconds=120) for run in runs]
        lost = [here.lost_lines(run, time.time()) for run in runs]
        yield from (fault or (f"lost {gone} lines" if gone else None) for fault, gone in zip(faults, lost, strict=True))
        yield None if lives(one.pid) else "the agent ended"


def _nobody_writes(here: Scene) -> filelock.BaseFileLock:
    """Return a context in which nobody else has the lock that writing to the backend takes."""
    return filelock.FileLock(here.folder / "home" / "penstock.db.lock")


def disk(chosen: argparse.Namespace, _chance: random.Random) -> Verdicts:
    """Fill the disk of the home under runs that are under way, and make room again: all end well, with every line."""
    if chosen.inside is None:
        yield _in_a_small_file_system(chosen)
        return
    with scene(chosen.fault, home=chosen.inside / "home") as here:
        one = here.agent()
        runs = [here.ask("slow", steps=steps) for steps in (2, 4, 6)]
        for run in runs:
            here.begun(run)
        ballast = chosen.inside / "ballast"
        refused = 0
        with ballast.open("wb", buffering=0) as file:
            until = time.monotonic() + chosen.seconds
            while time.monotonic() < until:
                try:
                    file.write(b"x" * 4096)
                except OSError:
                    refused += not _asks(here, runs)
                    time.sleep(0.2)
        ballast.unlink()
        faults = [here.fault(run, "Success", seconds=120) for run in runs]
        lost = [here.lost_lines(run, time.time()) for run in runs]
        yield from (fault or (f"lost {gone} lines" if gone else None) for fault, gone in zip(faults, lost, strict=True))
        yield None if lives(one.pid) else "the agent ended"
        yield None if refused else "the disk was never full"


def _asks(here: Scene, runs: list[str]) -> bool:
    """Ask for a run; return whether that was acknowledged, and keep it in *runs* then."""
    try:
        runs.append(here.ask("steps", steps=1))
    except errors.BackendUnreachableError:
        return False
    return True


def _in_a_small_file_system(chosen: argparse.Namespace) -> str | None:
    """Judge in a mount namespace with a file system of 24 MB; return what was wrong. Needs util-linux."""
    with tempfile.TemporaryDirectory(prefix="penstock-disk-") as folder:
        mounted = f'mount -t tmpfs -o size=24m penstock {folder} && exec "$@"'
        own = ["--part", "disk", "--inside", folder, "--seconds", str(chosen.seconds)]
        command = ["unshare", "-rm", "sh", "-c", mounted, "sh", sys.executable, "-m", "tests.durability.agents", *own]
        return None if subprocess.run(command, check=False).returncode == 0 else "see above"


PARTS: Final[dict[str, Callable[[argparse.Namespace, random.Random], Verdicts]]] = {
    "flow": flow, "agent": agent, "both": both, "pause": pause, "signals": signals, "cancel": cancel, "outage": outage,
    "disk": disk,
}  # fmt: skip


def main() -> int:
    """Judge what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.agents", description=__doc__)
    parser.add_argument("--part", choices=PARTS, required=True, help="what to do")
    parser.add_argument("--rounds", type=int, default=20, help="how often [20]")
    parser.add_argument("--seconds", type=float, default=60, help="how long an outage or a full disk takes [60]")
    parser.add_argument("--inside", type=Path, help="a small file system for `disk` [one that is made for it]")
    parser.add_argument("--fault", help="one of tests/durability/planted_in_agents, to be found")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="[a new one]")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    begun, counts = time.monotonic(), Counter[str]()
    for number, fault in enumerate(PARTS[chosen.part](chosen, random.Random(chosen.seed))):  # noqa: S311 - moments
        counts[fault or "right"] += 1
        if fault:
            print(f"  {number}: {fault}", flush=True)
    told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    print(f"{chosen.part}: {told}  ({time.monotonic() - begun:.0f} s)", flush=True)
    return int(set(counts) != {"right"})


if __name__ == "__main__":
    sys.exit(main())
