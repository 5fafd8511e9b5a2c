"""Kill a run between two of its tasks, restart it, and see whether what had succeeded is used and not run again.

`python -m tests.durability.resume --tasks 20` does so at each boundary of a chain of 20 tasks: before the first,
between two, and after the last. It prints what was wrong how often, and exits with 1 if anything was. `--every` kills
one run at all boundaries, one after another. `--fault forgetful` plants a fault that the judge has to find.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final
from unittest.mock import patch

from penstock import settings
from penstock.storage import load_flows
from tests.durability.scenes import Scene, killed, scene, until

_FLOW: Final = """
import os, time
from pathlib import Path
from penstock import Flow, Parameter, task

def gate(folder, place):
    \"\"\"Wait at a boundary to be killed, if somebody stands there.\"\"\"
    if (folder / f"stop-{place}").exists():
        (folder / f"at-{place}.begun").write_text(str(os.getpid()))
        (folder / f"at-{place}.begun").rename(folder / f"at-{place}")
        time.sleep(600)

def note(folder, line):
    file = os.open(folder / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\\n".encode())
    os.close(file)

@task
def link(number, above, folder):
    folder = Path(folder)
    gate(folder, number)
    note(folder, number)
    return (31 * above + number) % 1_000_003

@task
def last(value, folder):
    Path(folder, "result").write_text(str(value))
    return value

def at_the_end(flow, old, new):
    if new.is_finished():
        gate(Path(new.result[chain_folder].result), TASKS)

TASKS = int(os.environ["CHAIN_TASKS"])
with Flow("chain", state_handlers=[at_the_end]) as flow:
    chain_folder = Parameter("folder")
    value = 1
    for number in range(TASKS):
        value = link(number, value, chain_folder)
    last(value, chain_folder)
"""


def expected(tasks: int) -> str:
    """Return what the chain comes to."""
    value = 1
    for number in range(tasks):
        value = (31 * value + number) % 1_000_003
    return str(value)


def stopped(here: Scene, tasks: int, places: list[int]) -> str | None:
    """Run the chain, kill its process at each of *places* and restart it; return what was wrong, or None."""
    folder = here.folder / "-".join(["chain", *map(str, places)])
    folder.mkdir()
    for place in places:
        (folder / f"stop-{place}").touch()
    run = here.backend.create_flow_run("house", "chain", parameters={"folder": str(folder)}).id
    for place in places:
        at = folder / f"at-{place}"
        if not until(at.exists, 60):
            return f"it did not come to boundary {place}"
        (folder / f"stop-{place}").unlink()
        killed(int(at.read_text(encoding="utf-8")))
        found = here.ended(run, 30)
        if found is None or found.state.type != "Failed":
            return f"killed at boundary {place} it is {found and found.state.type}"
        here.backend.restart_flow_run(run)
    found = here.ended(run, 60)
    if found is None or found.state.type != "Success":
        return f"after the restart it is {found and found.state.type}: {found and found.state.message}"
    ran = (folder / "ledger").read_text(encoding="utf-8").split()
    if ran != [str(number) for number in range(tasks)]:
        twice = sorted({one for one in ran if ran.count(one) > 1}, key=int)
        return f"tasks ran again: {', '.join(twice)}" if twice else "tasks are missing"
    result = (folder / "result").read_text(encoding="utf-8")
    return None if result == expected(tasks) else f"the result is {result}"


def judged(tasks: int, places: list[list[int]], fault: str | None = None) -> Iterator[str | None]:
    """Yield what was wrong with a run that was killed at each of some *places*, for all of these, or None."""
    with scene(fault) as here, patch.dict(os.environ, {"CHAIN_TASKS": str(tasks)}):
        os.environ.pop("PENSTOCK_FLOWS__CHECKPOINTING")  # the scene's own flow keeps no results; this one lives on them
        with settings.override():
            script = here.folder / "chain.py"
            script.write_text(_FLOW, encoding="utf-8")
            load_flows(script)["chain"].register("house")
            here.agent()
            for some in places:
                yield stopped(here, tasks, some)


def main() -> int:
    """Judge what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.resume", description=__doc__)
    parser.add_argument("--tasks", type=int, default=20, help="how long the chain is [20]")
    parser.add_argument("--every", action="store_true", help="kill one run at every boundary")
    parser.add_argument("--fault", help="`forgetful`, to be found")
    chosen = parser.parse_args()
    all_of_them = list(range(chosen.tasks + 1))
    places = [all_of_them] if chosen.every else [[place] for place in all_of_them]
    begun, counts = time.monotonic(), Counter[str]()
    for some, fault in zip(places, judged(chosen.tasks, places, chosen.fault), strict=True):
        counts[fault or "right"] += 1
        if fault:
            print(f"  killed at {', '.join(map(str, some))}: {fault}", flush=True)
    told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    print(f"a chain of {chosen.tasks}: {told}  ({time.monotonic() - begun:.0f} s)", flush=True)
    return int(set(counts) != {"right"})


if __name__ == "__main__":
    sys.exit(main())
