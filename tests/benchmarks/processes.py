"""Worker processes beside the bare pool, both with their workers started: what a call costs, and how busy they are."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

from penstock import Flow, task
from penstock.testing import calls
from penstock_executors import ProcessExecutor
from tests.benchmarks import references
from tests.benchmarks.flows import run, run_mapped
from tests.benchmarks.measuring import Row, Timed, compare, repeated, row, wall

WORKERS: Final = 2
CHUNKS: Final = (100, 400, 1_600, 6_400)
"""Among which the best chunk of the bare pool's `map` lies, at the sizes measured here."""


def bare() -> ProcessPoolExecutor:
    """Return the bare pool, whose workers are started and have imported what the references need."""
    pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("fork"))
    list(pool.map(references.following, range(100)))
    return pool


def processes(sizes: list[int], repeats: int) -> Iterator[Row]:
    """Compare independent tasks with the loop and a bare pool together."""
    with bare() as pool, ProcessExecutor(WORKERS).open() as own:
        for size in sizes:
            shape = references.wide(size)

            def reference(shape: references.Shape = shape) -> None:
                references.loop(shape)
                references.pool(shape, pool)

            timed: dict[str, Timed] = {"penstock": partial(run, shape, own), "loop + pool": reference}
            times = compare(timed, repeats, wall)
            yield row("processes wide", size, times, "loop + pool", bar=1.0)


def processes_mapped(sizes: list[int], repeats: int) -> Iterator[Row]:
    """Compare tiny mapped children with the bare pool's `map` at its best chunk size."""
    with bare() as pool, ProcessExecutor(WORKERS).open() as own:
        for size in sizes:
            calls = max(2, 100_000 // size)
            timed: dict[str, Timed] = {"penstock": partial(repeated, partial(run_mapped, size, own), calls)}
            for chunk in CHUNKS:
                timed[f"by {chunk}"] = partial(repeated, partial(mapped, size, pool, chunk), calls)
            times = {name: taken / calls for name, taken in compare(timed, repeats, wall).items()}
            best = min(times[f"by {chunk}"] for chunk in CHUNKS)
            figures = {"penstock": times["penstock"], "pool.map": best}
            yield row("processes mapped", size, figures, "pool.map", bar=1.0 if size >= 100_000 else 2.0)


def mapped(size: int, pool: Executor, chunk: int) -> None:
    """Map over *size* numbers, *chunk* of them a call, and reduce."""
    references.total(list(pool.map(references.following, range(size), chunksize=chunk)))


def efficiency(repeats: int) -> Iterator[Row]:
    """Compare the time that a map takes with the time that its workers would take if they never waited.

    A worker that waits in a call takes no processor from the driver: what is measured is how calls are shared out.
    """
    chance = random.Random(20260320)  # noqa: S311 - the same sizes each time
    even, mixed = [0.02] * 200, [chance.choice([0.002, 0.01, 0.048]) for _ in range(200)]
    slow = {where: [0.005] * at + [0.1] * 20 + [0.005] * (180 - at) for where, at in (("first", 0), ("middle", 90))}
    shared = {"even": even, "mixed": mixed, **{f"slow block {where}": seconds for where, seconds in slow.items()}}
    shared["slow block last"] = slow["first"][::-1]
    with ProcessExecutor(WORKERS).open() as own:
        run_mapped(10, own)
        for name, seconds in shared.items():
            ideal = sum(seconds) / WORKERS
            taken = compare({"penstock": partial(wait, seconds, own)}, repeats, wall)
            figures = {**taken, "never idle": ideal}
            yield row(f"processes, {name}", len(seconds), figures, "never idle", bar=round(1 / 0.9, 3))


def wait(seconds: Sequence[float], pool: Executor) -> None:
    """Run a flow that waits so long in each child."""
    with Flow("waits") as flow:
        WAIT.map(list(seconds))
    if not flow.run(executor=pool).is_successful():
        raise RuntimeError("a flow of the benchmark failed")


WAIT: Final = task(calls.wait_for)
