"""What penstock is measured against, written plainly: a bare call per task, and the loop of an ideal kernel.

A shape is a list of `(function, upstream numbers)`, one entry a task; building is part of what is timed.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from graphlib import TopologicalSorter
from typing import Any

Shape = list[tuple[Callable[..., Any], tuple[int, ...]]]


def one() -> int:
    """Return 1."""
    return 1


def following(value: int) -> int:
    """Return the number after *value*."""
    return value + 1


def both(left: int, right: int) -> int:
    """Return the larger number."""
    return max(left, right)


def total(values: list[int]) -> int:
    """Return the sum."""
    return sum(values)


def wide(count: int) -> Shape:
    """Return *count* independent tasks."""
    return [(one, ())] * count


def chain(count: int) -> Shape:
    """Return *count* tasks, each waiting for the one before."""
    return [(one, ()), *[(following, (number,)) for number in range(count - 1)]]


def layered(count: int) -> Shape:
    """Return layers of 100 tasks, each task waiting for two of the layer above."""
    layer = 100
    first: Shape = [(one, ())] * layer
    rest = [
        (both, (number - layer, number - layer + (1 if number % layer < layer - 1 else 0)))
        for number in range(layer, count)
    ]
    return [*first, *rest]


def direct(shape: Shape) -> list[Any]:
    """Sort with graphlib and call: the physical limit."""
    values: list[Any] = [None] * len(shape)
    graph = {number: upstream for number, (_, upstream) in enumerate(shape)}
    for number in TopologicalSorter(graph).static_order():
        function, upstream = shape[number]
        values[number] = function(*[values[other] for other in upstream])
    return values


class _Task:
    __slots__ = ("function", "name", "upstream")

    def __init__(self, name: str, function: Callable[..., Any], upstream: tuple[int, ...]) -> None:
        self.name = name
        self.function = function
        self.upstream = upstream


class _State:
    __slots__ = ("message", "result")

    def __init__(self, message: str, result: Any = None) -> None:
        self.message = message
        self.result = result


class _Pending(_State):
    __slots__ = ()


class _Running(_State):
    __slots__ = ()


class _Success(_State):
    __slots__ = ()


class _Failed(_State):
    __slots__ = ()


def loop(shape: Shape) -> list[Any]:
    """Do what an ideal kernel does: task objects, three states a task, the trigger, and errors caught."""
    tasks = [_Task(function.__name__, function, upstream) for function, upstream in shape]
    states: list[_State] = [_State("")] * len(tasks)
    for number in TopologicalSorter({n: task.upstream for n, task in enumerate(tasks)}).static_order():
        task = tasks[number]
        states[number] = _Pending("waiting")
        upstream = [states[other] for other in task.upstream]
        if not all(isinstance(state, _Success) for state in upstream):
            states[number] = _Failed("trigger")
            continue
        states[number] = _Running("running")
        try:
            states[number] = _Success("done", task.function(*[state.result for state in upstream]))
        except Exception as error:  # noqa: BLE001 - a task's body, as in the kernel
            states[number] = _Failed(str(error), error)
    return states


def pool(shape: Shape, executor: Executor) -> list[Any]:
    """Submit one call a task and wait for all."""
    submitted = [executor.submit(function) for function, _ in shape]
    return [future.result() for future in submitted]
