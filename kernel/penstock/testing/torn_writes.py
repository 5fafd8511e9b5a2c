"""A program that kills writers of a result with SIGKILL, and reads what each of them left.

Run with the result's spec as JSON. It prints a line for each round: `whole`, or what is wrong.
"""

import os
import random
import signal
import sys
import time
from typing import Final

from penstock import errors
from penstock.hooks.kinds import KindSpec
from penstock.results import Result

ROUNDS: Final = 40
_LOCATION: Final = "torn"
_LONGEST_LIFE: Final = 0.02  # seconds; several writes


def main(spec: str) -> None:
    """Kill a writer in each round, at a random moment after its first write, and print what it left."""
    result = Result.restore(KindSpec.model_validate_json(spec)).model_copy(update={"location": _LOCATION})
    values = [bytes([number]) * 300_000 for number in (1, 2)]
    chance = random.Random(0)  # noqa: S311 - a repeatable choice of moments
    address = result.write(values[0]).location
    for _ in range(ROUNDS):
        written, wrote = os.pipe()
        writer = os.fork()
        if writer == 0:
            while True:
                for value in values:
                    result.write(value)
                    os.write(wrote, b".")
        os.read(written, 1)
        time.sleep(chance.uniform(0, _LONGEST_LIFE))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        os.close(written)
        os.close(wrote)
        print(_verdict(result, address, values))  # noqa: T201 - its output is its answer


def _verdict(result: Result, address: str, values: list[bytes]) -> str:
    try:
        return "whole" if result.read(address) in values else "neither the old value nor the new"
    except errors.ResultError as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main(sys.argv[1])
