"""How a figure is taken: the median of several repeats in which penstock and its references take turns."""

import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

Timed = Callable[[], Any]
Row = dict[str, Any]


def cpu(work: Timed) -> float:
    """Return the CPU seconds that *work* takes."""
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def wall(work: Timed) -> float:
    """Return the seconds that *work* takes, on whatever processors it takes them."""
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def compare(timed: dict[str, Timed], repeats: int, measure: Callable[[Timed], float] = cpu) -> dict[str, float]:
    """Return the median of each, taking turns so that a slow moment falls on all."""
    taken: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, work in timed.items():
            taken[name].append(measure(work))
    return {name: statistics.median(times) for name, times in taken.items()}


def compare_runs(timed: dict[str, Timed], size: int, repeats: int) -> dict[str, float]:
    """Compare runs of *size* tasks: a measurement is of as many in a row as make 10,000 tasks, as timeit's are.

    One short run after a garbage collection would measure how much of the processor's caches that emptied. And Python
    itself needs a dozen runs of a thousand tasks until all that runs once a flow is specialised.
    """
    calls = max(1, 10_000 // size)
    times = compare({name: partial(repeated, work, calls) for name, work in timed.items()}, often(size, repeats))
    return {name: taken / calls for name, taken in times.items()}


def repeated(work: Timed, calls: int) -> None:
    """Do *work* so many times."""
    for _ in range(calls):
        work()


def often(size: int, repeats: int) -> int:
    """Return how many repeats of a measurement of *size* tasks give a steady median: more where each is short."""
    return max(3, repeats * 10_000 // size // 2) if size > 10_000 else repeats * 2


def row(what: str, size: int, times: dict[str, float], reference: str, bar: float | None) -> Row:
    """Return a line of the table: microseconds a task, and the ratio to *reference*."""
    return {
        "what": what,
        "tasks": size,
        "us": round(times["penstock"] / size * 1e6, 2),
        "ratio": round(times["penstock"] / times[reference], 3),
        "of": reference,
        "bar": bar,
        "references": {name: round(taken / size * 1e6, 2) for name, taken in times.items() if name != "penstock"},
    }
