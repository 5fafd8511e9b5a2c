"""Dask and Ray beside themselves: what a call costs through penstock and without, and what the scheduler holds."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from penstock_dask.pool import DaskPool
from penstock_ray import RayExecutor
from tests.benchmarks import references
from tests.benchmarks.flows import run, run_mapped
from tests.benchmarks.measuring import Row, Timed, compare, row, wall

WORKERS: Final = 2


def dask(sizes: list[int], repeats: int) -> Iterator[Row]:
    """Compare independent tasks with Dask's own submit and gather, and measure maps and the scheduler's memory."""
    import distributed

    with cluster() as (address, scheduler), distributed.Client(address) as client, DaskPool(client) as own:
        size = 1_000
        shape = references.wide(size)

        def bare() -> None:
            client.gather([client.submit(function, pure=False) for function, _ in shape])

        timed: dict[str, Timed] = {"penstock": partial(run, shape, own), "submit": bare}
        yield row("dask wide", size, compare(timed, repeats, wall), "submit", bar=1.1)
        for _ in range(2):
            run_mapped(size, own)  # workers have imported what they need when the clock starts, as everywhere here
        widest = 4 * sizes[-1]
        before = peak(scheduler)
        each = compare({"penstock": partial(run_mapped, widest, own)}, 1, wall)["penstock"] / widest * 1e6
        grown = peak(scheduler) - before
        yield figure("dask mapped, per child", widest, each, "µs", bar=3.0)
        yield figure("dask, scheduler's growth", widest, grown, "MiB", bar=16.0)


def ray(repeats: int) -> Iterator[Row]:
    """Compare independent tasks with Ray's own calls."""
    import ray as bare_ray

    with RayExecutor(num_cpus=WORKERS, init_kwargs={"log_to_driver": False}).open() as own:
        size = 1_000
        shape, one = references.wide(size), bare_ray.remote(references.one)

        def bare() -> None:
            bare_ray.get([one.remote() for _ in shape])

        run(shape, own)
        timed: dict[str, Timed] = {"penstock": partial(run, shape, own), "remote": bare}
        yield row("ray wide", size, compare(timed, repeats, wall), "remote", bar=1.1)


def figure(what: str, size: int, value: float, unit: str, bar: float, **beside: float) -> Row:
    """Return a line of the table for a figure that is no ratio, with what else was measured in the same run."""
    known = {"what": what, "tasks": size, "us": None, "ratio": round(value, 3), "of": unit, "bar": bar}
    return {**known, "references": {name: round(other, 2) for name, other in beside.items()}}


@contextlib.contextmanager
def cluster() -> Iterator[tuple[str, int]]:
    """Yield the address of a cluster whose parts are processes of their own, and the scheduler's process id."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = str(Path(folder) / "scheduler.json")
        started = [
            stack.enter_context(_started(folder, "scheduler", "--port", "0", "--scheduler-file", file)),
            *[
                stack.enter_context(_started(folder, "worker", "--scheduler-file", file, "--nthreads", "1"))
                for _ in range(WORKERS)
            ],
        ]
        import distributed

        with distributed.Client(scheduler_file=file, timeout=30) as client:
            client.wait_for_workers(WORKERS, timeout=30)
        address = re.search(r'"address": "([^"]+)"', Path(file).read_text(encoding="utf-8"))
        assert address is not None
        yield address[1], started[0].pid


@contextlib.contextmanager
def _started(folder: str, part: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "distributed.cli.dask_" + part, *arguments, "--no-dashboard"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}  # where the functions of the references are
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, env=environ, **quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def peak(process: int) -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found: Any = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024
