"""How much memory runs take: measured by the interpreter's own allocator statistics, in processes of their own."""

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

from penstock import Flow, task

Row = dict[str, Any]


def identity(x: int) -> int:
    """Return the item itself: its value costs nothing beside the list it is in."""
    return x


def warm(*kinds: Any) -> None:
    """Run something small first: what is imported for a run is not what a task takes."""
    with Flow("warm") as flow:
        for kind in kinds:
            kind.map([1, 2])
    flow.run()


def per_task(count: int) -> float:
    """Return the bytes a task takes that was built and run, with its flow and its state, results aside."""
    step = task(lambda: None)
    warm(task(identity))
    tracemalloc.start()
    with Flow("memory") as flow:
        for _ in range(count):
            step()
    state = flow.run()
    states = list(state.result.values())
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken / count if len(states) == count else float("nan")


def per_child(count: int) -> float:
    """Return the peak of bytes a mapped child takes beside its value."""
    step, numbers = task(identity), list(range(count))
    warm(step)
    with Flow("memory") as flow:
        mapped = step.map(numbers)
    tracemalloc.start()
    state = flow.run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / count if len(state.result[mapped].result) == count else float("nan")


def per_child_of_three(count: int) -> float:
    """Return the peak of bytes a child of three maps over each other takes, where each value has 100 bytes."""
    grow, numbers = task(lambda x: bytes(67)), list(range(count))
    last = task(lambda _: None)
    warm(grow, last)
    with Flow("memory") as flow:
        last.map(grow.map(grow.map(numbers)))
    tracemalloc.start()
    state = flow.run(keep_values=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / count if state.is_successful() else float("nan")


def memory(count: int) -> Iterator[Row]:
    """Measure each in an interpreter of its own."""
    for what, name, size, bar in (
        ("memory per task", "per_task", count // 10, 1_200),
        ("memory per child", "per_child", count, 64),
        ("three maps, values dropped", "per_child_of_three", count, 64),
    ):
        code = f"import json; from tests.benchmarks import memory; print(json.dumps(memory.{name}({size})))"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        yield {"what": what, "tasks": size, "us": None, "ratio": json.loads(done.stdout), "of": "bytes", "bar": bar}
