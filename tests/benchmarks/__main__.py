"""Print penstock's times beside plain Python's, as ratios taken in one run: `make bench`.

Every figure is the median of several repeats in which penstock and its references take turns: in CPU time, and where
several processes work, in the time that passes.
"""

import argparse
import inspect
import json
import logging
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from penstock import hookimpl, hooks, settings, task
from tests.benchmarks import references
from tests.benchmarks.backend import backend
from tests.benchmarks.clusters import dask, ray
from tests.benchmarks.flows import SHAPES, run, run_mapped
from tests.benchmarks.measuring import Row, Timed, compare, compare_runs, row
from tests.benchmarks.memory import memory
from tests.benchmarks.processes import efficiency, processes, processes_mapped
from tests.benchmarks.references import Shape
from tests.benchmarks.reporting import reporting


def definition(repeats: int) -> Iterator[Row]:
    """Compare `@task` with what any decorator pays that reads its function's signature."""
    timed: dict[str, Timed] = {
        "penstock": lambda: [task(references.both) for _ in range(1_000)],
        "signature": lambda: [inspect.signature(references.both) for _ in range(1_000)],
    }
    yield row("definition", 1_000, compare(timed, repeats), "signature", bar=None)


def sequential(sizes: list[int], repeats: int) -> Iterator[Row]:
    """Compare the in-process engine with direct and loop."""
    for name, make in SHAPES.items():
        for size in sizes:
            shape = make(size)
            timed: dict[str, Timed] = {
                "penstock": partial(run, shape),
                "loop": partial(references.loop, shape),
                "direct": partial(references.direct, shape),
            }
            times = compare_runs(timed, size, repeats)
            yield row(f"sequential {name}", size, times, "loop", bar=1.8)


def mapped(sizes: list[int], repeats: int) -> Iterator[Row]:
    """Compare mapped children with the loop over as many independent tasks."""
    for size in sizes:
        shape = references.wide(size)
        timed: dict[str, Timed] = {"penstock": partial(run_mapped, size), "loop": partial(references.loop, shape)}
        times = compare_runs(timed, size, repeats)
        yield row("mapped", size, times, "loop", bar=0.15)


def threads(sizes: list[int], repeats: int) -> Iterator[Row]:
    """Compare the thread executor with the loop and a bare pool together."""
    for size in sizes:
        shape = references.wide(size)

        def pool(shape: Shape = shape) -> None:
            with ThreadPoolExecutor(2) as executor:
                references.pool(shape, executor)

        def bare(shape: Shape = shape) -> None:
            references.loop(shape)
            pool(shape)

        own = partial(run, shape, {"type": "threads", "max_workers": 2})
        times = compare_runs({"penstock": own, "loop + pool": bare, "pool": pool}, size, repeats)
        yield row("threads wide", size, times, "loop + pool", bar=1.3)


def threads_mapped(sizes: list[int], repeats: int) -> Iterator[Row]:
    """Compare tiny mapped children on the thread executor with the loop and a bare pool together."""
    for size in sizes:
        shape = references.wide(size)

        def bare(shape: Shape = shape) -> None:
            references.loop(shape)
            with ThreadPoolExecutor(2) as executor:
                references.pool(shape, executor)

        own = partial(run_mapped, size, {"type": "threads", "max_workers": 2})
        times = compare_runs({"penstock": own, "loop + pool": bare}, size, repeats)
        yield row("threads mapped", size, times, "loop + pool", bar=0.6)


def observed(size: int, repeats: int) -> Iterator[Row]:
    """Measure what one observer costs for each transition it is told of."""
    told: list[None] = []

    class Observer:
        @hookimpl
        def penstock_task_run_state(self, run: Any, old: Any, new: Any) -> None:
            told.append(None)

    def watched() -> None:
        with hooks.observing(Observer()):
            run(shape)

    shape = references.wide(size)
    watched()
    transitions = len(told)
    times = compare_runs({"watched": watched, "alone": partial(run, shape)}, size, repeats)
    each = (times["watched"] - times["alone"]) / transitions * 1e6
    yield {
        "what": "observer, per transition",
        "tasks": size,
        "us": round(each, 2),
        "ratio": each,
        "of": "µs",
        "bar": 1.0,
    }


def growth(rows: list[Row]) -> Iterator[Row]:
    """Return for each shape the exponent with which penstock's time grows from the smallest size to the largest."""
    for name in SHAPES:
        own = [one for one in rows if one["what"] == f"sequential {name}"]
        small, large = (own[0], own[-1]) if own else ({"tasks": 0}, {"tasks": 0})
        if small["tasks"] < large["tasks"]:
            exponent = math.log(large["us"] * large["tasks"] / (small["us"] * small["tasks"])) / math.log(
                large["tasks"] / small["tasks"]
            )
            yield {
                "what": f"growth {name}",
                "tasks": large["tasks"],
                "us": None,
                "ratio": round(exponent, 3),
                "of": "exponent",
                "bar": 1.1,
            }


def imports(repeats: int) -> Iterator[Row]:
    """Compare importing penstock with importing pydantic and making one model, each in a new interpreter.

    All with their bytecode cached, as it is from the second time on.
    """
    script = "from penstock import Flow, task\n@task\ndef f(): return 1\nwith Flow('x') as flow: f()\nflow.run()"
    pydantic = "import pydantic\nclass M(pydantic.BaseModel):\n    x: int\nM(x=1)"
    pieces = {"import": "from penstock import Flow, task", "one-task script": script, "pydantic": pydantic}
    with tempfile.TemporaryDirectory() as cache:
        timed: dict[str, Timed] = {name: partial(interpret, code, cache) for name, code in pieces.items()}
        compare(timed, 1)
        times = compare(timed, repeats, measure=children)
    for name, bar in (("import", 0.4), ("one-task script", 2.0)):
        ratio = times[name] / times["pydantic"]
        yield {
            "what": name,
            "tasks": 1,
            "us": round(times[name] * 1e6),
            "ratio": round(ratio, 3),
            "of": "pydantic",
            "bar": bar,
        }


def interpret(code: str, cache: str) -> None:
    """Run *code* in a new interpreter that keeps its bytecode in the folder *cache*."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)


def children(work: Timed) -> float:
    """Return the CPU seconds that the processes of *work* take."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def show(one: Row) -> None:
    """Print a line of the table."""
    beside = "  ".join(f"{name} {us}" for name, us in one.get("references", {}).items())
    bar = "" if one["bar"] is None else f"{'met' if one['ratio'] <= one['bar'] else 'MISSED'} (≤ {one['bar']})"
    us = "" if one["us"] is None else f"{one['us']:.2f}"
    print(
        f"{one['what']:<31} {one['tasks']:>7} {us:>10} {one['ratio']:>8.2f} x {one['of']:<12} {bar:<16} {beside}",
        flush=True,
    )


GROUPS: dict[str, Callable[[list[int], int], Iterator[Row]]] = {
    "definition": lambda _sizes, repeats: definition(repeats),
    "sequential": sequential,
    "mapped": mapped,
    "threads": lambda sizes, repeats: threads(sizes[:2], repeats),
    "threads-mapped": lambda sizes, repeats: threads_mapped(sizes[:2], repeats),
    "processes": lambda sizes, repeats: processes(sizes[:2], repeats),
    "processes-mapped": lambda sizes, repeats: processes_mapped(sizes[1:], repeats),
    "efficiency": lambda _sizes, repeats: efficiency(repeats),
    "dask": dask,
    "ray": lambda _sizes, repeats: ray(repeats),
    "backend": lambda sizes, repeats: backend(sizes[0], repeats),
    "observer": lambda sizes, repeats: observed(sizes[1], repeats),
    "reporting": lambda sizes, _repeats: reporting(sizes[1], 3),
    "memory": lambda sizes, _repeats: memory(10 * sizes[-1]),
    "import": lambda _sizes, repeats: imports(repeats),
}
"""The groups of rows, by the name that `--only` knows them by."""


def main() -> int:
    """Run the benchmarks; with `--check` exits with 1 if a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute less")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar was missed")
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="these rows alone")
    chosen = parser.parse_args()
    sizes, repeats = ([1_000, 10_000], 3) if chosen.quick else ([1_000, 10_000, 100_000], 5)
    os.environ["PENSTOCK_LOGGING__LEVEL"] = "WARNING"  # for workers too
    logging.getLogger("penstock").setLevel(logging.WARNING)
    with settings.override():
        return measure(chosen.only, sizes, repeats, chosen.json, check=chosen.check)


def measure(groups: list[str], sizes: list[int], repeats: int, file: str | None, *, check: bool) -> int:
    """Print the rows of *groups*, and write them to *file* too; return 1 if a bar was missed and that is to be told."""
    run(references.wide(10))
    print(f"{'what':<26} {'tasks':>8} {'µs/task':>10} {'ratio':>8}   {'of':<12} {'bar':<16} references, µs/task")
    rows: list[Row] = []
    for name in groups:
        for one in GROUPS[name](sizes, repeats):
            show(one)
            rows.append(one)
    for one in growth(rows):
        show(one)
        rows.append(one)
    if file:
        Path(file).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    missed = any(one["bar"] is not None and one["ratio"] > one["bar"] for one in rows)
    return int(check and missed)


if __name__ == "__main__":
    sys.exit(main())
