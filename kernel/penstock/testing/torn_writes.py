"""A program that kills writers of a result with SIGKILL, and reads what each of them left.

Run with the result's spec as JSON. It prints a line for each round: `whole`, or what is wrong.
"""

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Final

from penstock import errors
from penstock.hooks.kinds import KindSpec
from penstock.results import Result

ROUNDS: Final = 40
_LOCATION: Final = "torn"
_LONGEST_LIFE: Final = 0.02  # seconds; several writes
_COPIES: Final = 40_000  # of a number, of eight bytes, in each value


def main(spec: str) -> None:
    """Print what the writer of each round left."""
    for verdict in verdicts(Result.restore(KindSpec.model_validate_json(spec))):
        print(verdict)  # noqa: T201 - its output is its answer


def verdicts(result: Result, rounds: int = ROUNDS, seed: int = 0) -> Iterator[str]:
    """Kill a writer in each round, at a random moment after its first write, and yield what it left: `whole`, or else.

    A writer overwrites one value with the next number, and says which are written. What lies there has to be the last
    of these or the one after it. Whatever *result* keeps has to outlive processes, for they are forked.
    """
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice of moments
    fixed, latest = result.model_copy(update={"location": _LOCATION}), 0
    address = fixed.write(_value(latest)).location
    for _ in range(rounds):
        latest = _acknowledged(fixed, latest + 1, chance.uniform(0, _LONGEST_LIFE))
        verdict, latest = _verdict(fixed, address, latest)
        yield verdict


def _acknowledged(result: Result, first: int, seconds: float) -> int:
    """Let a process write numbers from *first* on, kill it *seconds* after that, and return the last it has written."""
    written, wrote = os.pipe()
    writer = os.fork()
    if writer == 0:
        _write_forever(result, first, wrote)
    os.close(wrote)
    with os.fdopen(written, "rb") as told:
        begun = told.read(8)
        time.sleep(seconds)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        if not begun:
            raise RuntimeError("The writer ended before it had written anything; what it said is above")
        later = told.read()
    return int.from_bytes((begun + later)[-8:])


def _write_forever(result: Result, number: int, wrote: int) -> None:
    """Write number after number in a forked process, which never returns to what the other one does."""
    try:
        while True:
            result.write(_value(number))
            os.write(wrote, number.to_bytes(8))
            number += 1
    finally:
        traceback.print_exc()
        os._exit(1)


def _value(number: int) -> bytes:
    return number.to_bytes(8) * _COPIES


def _verdict(result: Result, address: str, acknowledged: int) -> tuple[str, int]:
    """Return what is to be said of what lies at *address*, and the number that the next writer goes on from."""
    try:
        value = result.read(address)
    except errors.ResultError as error:
        return f"{type(error).__name__}: {error}", acknowledged
    found = int.from_bytes(value[:8])
    if value != _value(found):
        return "torn: parts of several values", acknowledged
    if found not in (acknowledged, acknowledged + 1):
        return f"lost: number {acknowledged} was written, {found} is there", acknowledged
    return "whole", found


if __name__ == "__main__":
    main(sys.argv[1])
