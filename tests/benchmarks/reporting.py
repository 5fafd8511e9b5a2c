"""What it costs a run that a backend is told of it: its process writes a spool, and sends from it."""

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

from penstock import Flow, get_backend, settings
from penstock.storage import load_flows
from penstock_agent import running
from penstock_agent.job import Job
from tests.benchmarks.measuring import Row, Timed, compare, row

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
_LOOPS_A_MILLISECOND = 18_000
"""Of the loop in the script, about: the tasks keep the interpreter busy, so that reporting has to share it."""


def reporting(size: int, repeats: int) -> Iterator[Row]:
    """Compare a run of tasks of a millisecond each that is reported to SQLite with the same run unreported.

    In CPU time, of which the thread that sends takes its part: one interpreter does all of it.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"PENSTOCK_HOME": folder, "PENSTOCK_FLOWS__CHECKPOINTING": "false"}),
    ):
        script = Path(folder, "busy.py")
        script.write_text(_SCRIPT.format(loops=_LOOPS_A_MILLISECOND, size=size), encoding="utf-8")
        with settings.override():
            flow = load_flows(script)["busy"]
            flow.register("benchmarks")
            timed: dict[str, Timed] = {"penstock": reported, "alone": partial(alone, flow)}
            times = compare(timed, repeats)
            get_backend().close()
    yield row("reporting", size, times, "alone", bar=1.15)


def reported() -> None:
    """Run the flow as the process of a flow run does."""
    backend = get_backend()
    backend.create_flow_run("benchmarks", "busy")
    (claim,) = backend.claim("bench")
    if running.run(Job(claim=claim, backend=backend.spec())) != 0:
        raise RuntimeError("the backend does not know how the run ended")


def alone(flow: Flow) -> None:
    """Run the flow here."""
    if not flow.run().is_successful():
        raise RuntimeError("a flow of the benchmark failed")
