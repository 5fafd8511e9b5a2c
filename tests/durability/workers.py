"""Kill workers with SIGKILL at random moments of a map, and see whether each run ends right and leaves nobody behind.

`python -m tests.durability.workers --executor dask --rounds 50` prints how many runs ended right, and exits with 1 if
one did not, hung, or left a process. `--retries 0` plants a fault: then the child whose worker was killed stays failed.
"""

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

CHILDREN: Final = 200
EXECUTORS: Final[dict[str, dict[str, Any]]] = {
    "processes": {"type": "processes", "max_workers": 2},
    "dask": {"type": "dask", "n_workers": 2},
    "ray": {"type": "ray", "num_cpus": 2},
}
_SCRIPT: Final = (
    """
import json, os, sys
from penstock import Flow, task, unmapped
from penstock.testing import calls

@task(max_retries=int(sys.argv[3]), retry_delay=0 if sys.argv[3] != "0" else None)
def work(number, told):
    with open(told, "a") as file:
        print(os.getpid(), file=file, flush=True)
    calls.wait_for(0.005)
    return 2 * number

chosen, told = json.loads(sys.argv[1]), sys.argv[2]
with Flow("mortal") as flow:
    done = work.map(range({children}), told=unmapped(told))
state = flow.run(executor=chosen)
right = state.is_successful() and state.result[done].result == [2 * number for number in range({children})]
print("right" if right else f"wrong: {{state.message}} {{state.result[done].message}}")
""".replace("{children}", str(CHILDREN))
    .replace("{{", "{")
    .replace("}}", "}")
)


def judge(executor: str, retries: int, chance: random.Random, longest: float) -> str:
    """Run a map, kill one of its workers at a random moment, and return how the run ended: `right` if all is well."""
    with tempfile.TemporaryDirectory(prefix="penstock-workers-") as folder:
        told = Path(folder) / "told"
        told.touch()
        environ = {
            **os.environ, "PENSTOCK_LOGGING__LEVEL": "CRITICAL", "PENSTOCK_HOME": folder, "PYTHONFAULTHANDLER": "1"
        }  # fmt: skip
        command = [sys.executable, "-c", _SCRIPT, json.dumps(EXECUTORS[executor]), str(told), str(retries)]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        try:
            killed = _kill_one(told, run, chance, longest)
            said, complained = run.communicate(timeout=longest)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGABRT)  # with the fault handler it says where each of its threads stands
            print(run.communicate()[1], file=sys.stderr)
            return "hung"
        seen = {int(line) for line in told.read_text(encoding="utf-8").split()}
        if any(not _ends(process) for process in seen):
            return "left a process"
        last = said.strip().splitlines()[-1:] or complained.strip().splitlines()[-1:]
        return last[0] if last and (killed or last != ["right"]) else "ended before its worker was killed"


def _kill_one(told: Path, run: "subprocess.Popen[str]", chance: random.Random, longest: float) -> bool:
    """Kill one of the workers that have told their process ids, somewhere in the map; return whether one was there."""
    at = chance.randrange(1, CHILDREN * 3 // 4)
    until = time.monotonic() + longest
    while len(seen := told.read_text(encoding="utf-8").split()) < at:
        if run.poll() is not None or time.monotonic() > until:
            return False
        select.select([], [], [], 0.001)
    try:
        os.kill(int(chance.choice(seen[-2:])), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _ends(process: int) -> bool:
    """Return whether *process* is gone before long."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def main() -> int:
    """Judge so many runs; return 1 if one did not end right."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.workers", description=__doc__)
    parser.add_argument("--executor", choices=EXECUTORS, default="processes", help="what runs the map")
    parser.add_argument("--rounds", type=int, default=50, help="how many runs")
    parser.add_argument("--retries", type=int, default=5, help="how often a child is tried again")
    parser.add_argument("--longest", type=float, default=30, help="seconds after which a run hangs [30]")
    parser.add_argument("--seed", type=int, default=1, help="what decides on the moments")
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)  # noqa: S311 - moments that can be had again
    counts: Counter[str] = Counter()
    longest = 0.0
    for _ in range(chosen.rounds):
        begun = time.monotonic()
        counts[judge(chosen.executor, chosen.retries, chance, chosen.longest)] += 1
        longest = max(longest, time.monotonic() - begun)
    told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    runs = f"{chosen.executor}: {chosen.rounds} runs in which a worker was killed"
    print(f"{runs}: {told}; the longest took {longest:.1f} s")
    return int(set(counts) != {"right"})


if __name__ == "__main__":
    sys.exit(main())
