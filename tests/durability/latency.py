"""Measure how long a request waits: from creating a run to its first task, which an idle agent starts in a process.

`python -m tests.durability.latency --rounds 20` prints the median and the longest in seconds, with the agent's spare
process warm, and exits with 1 if the median is above `--bar`.
"""

import argparse
import statistics
import sys
import time

from tests.durability.scenes import scene


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.latency", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how many requests [20]")
    parser.add_argument("--bar", type=float, default=1.0, help="the most the median may be, in seconds [1]")
    parser.add_argument("--pause", type=float, default=4, help="seconds in which a spare warms up [4]")
    chosen = parser.parse_args()
    waits = []
    with scene() as here:
        here.agent()
        for _ in range(chosen.rounds):
            time.sleep(chosen.pause)
            asked = time.time()
            run = here.ask("steps", steps=1)
            here.begun(run)
            waits.append(here.entries(run, "step")[0].time - asked)
            here.ended(run, 30)
    median = statistics.median(waits)
    print(f"request to first task: {median:.2f} s median, {max(waits):.2f} s longest of {chosen.rounds}")
    return int(median > chosen.bar)


if __name__ == "__main__":
    sys.exit(main())
