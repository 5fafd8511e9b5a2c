"""Kill writers of results with SIGKILL at random moments, and count what is torn or lost afterwards.

`python -m tests.durability --rounds 200` judges results on this machine's disks and in a bucket; it exits with 1 if
there is anything to count. `--kind in-place` and `--kind late` judge results with a planted fault.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from penstock.results import LocalResult, Result, S3Result
from penstock.testing.torn_writes import verdicts
from penstock_s3.testing import serving
from tests.durability.planted import InPlaceResult, LateResult

KINDS = ("local", "s3", "in-place", "late")
COUNTED = {"torn": ("torn", "ResultCorruptError"), "lost": ("lost", "ResultMissingError")}


def place(kind: str, stack: ExitStack) -> Result:
    """Return a result over an empty place, which is gone when *stack* is closed."""
    if kind == "s3":
        stack.enter_context(patch.dict(os.environ, stack.enter_context(serving("durability"))))
        return S3Result("durability")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-durability-")))
    if kind == "local":
        return LocalResult(folder)
    return InPlaceResult(folder=folder) if kind == "in-place" else LateResult(folder=folder)


def judge(result: Result, rounds: int, seed: int) -> Counter[str]:
    """Return how many rounds were whole, torn, lost or unreadable; print the first of each fault."""
    counts: Counter[str] = Counter()
    for verdict in verdicts(result, rounds, seed):
        word = verdict.partition(":")[0]
        outcome = next(
            (name for name, words in COUNTED.items() if word in words), verdict if word == "whole" else "unreadable"
        )
        counts[outcome] += 1
        if outcome != "whole" and counts[outcome] == 1:
            print(f"  {verdict}")
    return counts


def main() -> int:
    """Judge what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="writers to kill, of each kind [200]")
    parser.add_argument("--kind", action="append", choices=KINDS, help="a kind of result [local and s3]")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="of the moments [a new one]"
    )
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    whole = True
    for kind in chosen.kind or KINDS[:2]:
        begun = time.monotonic()
        with ExitStack() as stack:
            counts = judge(place(kind, stack), chosen.rounds, chosen.seed)
        faults = "  ".join(f"{counts[name]} {name}" for name in (*COUNTED, "unreadable"))
        print(f"{kind:<9} {chosen.rounds} writers killed: {faults}  ({time.monotonic() - begun:.0f} s)", flush=True)
        whole &= counts["whole"] == chosen.rounds
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
