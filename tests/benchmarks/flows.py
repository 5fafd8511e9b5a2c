"""The flows that are timed."""

from collections.abc import Callable
from typing import Any

from penstock import Flow, task
from tests.benchmarks import references
from tests.benchmarks.references import Shape

TASKS = {
    function: task(function) for function in (references.one, references.following, references.both, references.total)
}
"""What is timed is building and running a flow: `@task` is done once, where a module is loaded, like the functions of
the references. Their tasks correspond to the copies that calls in a flow make."""

SHAPES: dict[str, Callable[[int], Shape]] = {
    "wide": references.wide,
    "chain": references.chain,
    "layered": references.layered,
}


def build(shape: Shape) -> Flow:
    """Return the flow of a shape."""
    made: list[Any] = []
    with Flow("bench") as flow:
        for function, upstream in shape:
            made.append(TASKS[function](*[made[number] for number in upstream]))
    return flow


def run(shape: Shape, executor: Any = None) -> None:
    """Build and run the flow of a shape."""
    state = build(shape).run(executor=executor)
    if not state.is_successful():
        raise RuntimeError(state.message)


def run_mapped(count: int, executor: Any = None) -> None:
    """Map one task over *count* items and reduce."""
    following, total = TASKS[references.following], TASKS[references.total]
    with Flow("mapped") as flow:
        total(following.map(range(count)))
    state = flow.run(executor=executor)
    if not state.is_successful():
        raise RuntimeError(state.message)
