"""What it costs a run that a backend is told of it: its process notes what there is to tell, and its agent sends it."""

import os
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

from penstock import Flow, get_backend, settings
from penstock.storage import load_flows
from tests.benchmarks.measuring import Row, compare, row, wall

_SCRIPT = """
from penstock import Flow, Parameter, task

@task
def work(number):
    total = 0
    for one in range({loops}):
        total += one
    return total

with Flow("busy") as flow:
    work.map(range({size}))
"""
_SECONDS = 600
"""How long a run may take."""


def loops_a_millisecond() -> int:
    """Return how many loops of the script's task take a millisecond: it is busy, so that reporting has to share."""

    def work(loops: int) -> None:
        total = 0
        for one in range(loops):
            total += one

    taken = min(timeit.repeat(lambda: work(100_000), number=1, repeat=20))
    return int(100_000 * 0.001 / taken)


def reporting(size: int, repeats: int) -> Iterator[Row]:
    """Compare how long a run of tasks of a millisecond each takes under an agent, with SQLite, and alone.

    Both in the time that passes between the run's Running and its end: the agent has a processor for itself.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"PENSTOCK_HOME": folder, "PENSTOCK_FLOWS__CHECKPOINTING": "false"}),
    ):
        script = Path(folder, "busy.py")
        script.write_text(_SCRIPT.format(loops=loops_a_millisecond(), size=size), encoding="utf-8")
        with settings.override():
            flow = load_flows(script)["busy"]
            flow.register("benchmarks")
            command = [sys.executable, "-m", "penstock_cli", "agent", "start"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as agent:
                try:
                    times = compare({"penstock": reported, "alone": partial(alone, flow)}, repeats, lambda run: run())
                finally:
                    agent.terminate()
            get_backend().close()
    yield row("reporting", size, times, "alone", bar=1.15)


def reported() -> float:
    """Let the agent run the flow; return the seconds from when it is Running to its end."""
    backend = get_backend()
    run = backend.wait_for_flow_run(backend.create_flow_run("benchmarks", "busy").id, _SECONDS)
    if run.state.type != "Success" or run.start_time is None or run.end_time is None:
        raise RuntimeError(f"the run ended as {run.state.type}")
    return (run.end_time - run.start_time).total_seconds()


def alone(flow: Flow) -> float:
    """Run the flow here; return the seconds."""

    def run() -> None:
        if not flow.run().is_successful():
            raise RuntimeError("a flow of the benchmark failed")

    return wall(run)
