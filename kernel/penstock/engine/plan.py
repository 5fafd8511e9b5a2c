"""A flow compiled to arrays: tasks by number, and for each its function, its inputs and what it waits for.

Inputs are positions in one list of values: a task's value stands at its own number, and the constants of the
flow stand behind the last task. So a call's arguments are gathered without looking anything up.
"""

import graphlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from penstock import errors
from penstock.edges import MAPPED, Binding
from penstock.tasks import Task


class Plan:
    """Arrays over the tasks of a flow, by number.

    * `order`: numbers such that every task comes after those it waits for.
    * `inputs`: positions of the arguments in the list of values; `keys`: their names, None if in the function's order.
    * `after`: numbers of the tasks that are waited for beside the inputs, each with how it passes; `upstream(i)`: all
      that are waited for.
    * `marks`: how inputs pass, None where plainly; `plain`: whether the engine's short way may be taken.
    * `mapped`: numbers of the tasks that run once for each item of an input.
    """

    def __init__(self, bindings: Mapping[Task, Binding | None]) -> None:
        """Compile the tasks of a flow with their bindings; raises CycleError naming a cycle."""
        self.tasks: list[Task] = list(bindings)
        self.numbers: dict[Task, int] = {task: number for number, task in enumerate(self.tasks)}
        self.constants: list[Any] = []
        count = len(self.tasks)
        self.functions: list[Callable[..., Any]] = [task.body() for task in self.tasks]
        self.inputs: list[tuple[int, ...]] = [()] * count
        self.keys: list[tuple[str, ...] | None] = [None] * count
        self.after: list[tuple[tuple[int, int], ...]] = [()] * count
        self.marks: list[tuple[int, ...] | None] = [None] * count
        self.plain: bytearray = bytearray([t.options.plain and not t.signature.is_async for t in self.tasks])
        self.mapped: set[int] = set()
        self.order: Sequence[int] = range(count) if self._number(bindings) else self._sort()
        # who takes the list of a mapped task is given a copy, by the call that looks at each input
        for n in [n for n in range(count if self.mapped else 0) if self.plain[n] and self.mapped & {*self.inputs[n]}]:
            self.keys[n] = self.keys[n] or self.tasks[n].signature.names[: len(self.inputs[n])]

    def _number(self, bindings: Mapping[Task, Binding | None]) -> bool:
        """Turn tasks and constants into positions; return whether every task comes after those it waits for."""
        numbers, constants, in_order = self.numbers, self.constants, True
        next_constant = len(self.tasks)
        for number, binding in enumerate(bindings.values()):
            if binding is None:
                continue
            positions = []
            for value in binding.values:
                position = numbers.get(value) if isinstance(value, Task) else None
                if position is None:
                    position = next_constant
                    next_constant += 1
                    constants.append(value)
                elif position >= number:
                    in_order = False
                positions.append(position)
            self.inputs[number] = tuple(positions)
            self.keys[number] = binding.keys
            if binding.after:
                marks = binding.after_marks or (0,) * len(binding.after)
                self.after[number] = tuple(zip([numbers[task] for task in binding.after], marks, strict=True))
                in_order = in_order and max(self.after[number])[0] < number
            if binding.marks or binding.after_marks:
                self.marks[number] = binding.marks or (0,) * len(positions)
                self.plain[number] = False
                if binding.is_mapped():
                    self.mapped.add(number)
        return in_order

    @cached_property
    def mapped_over(self) -> dict[int, list[int]]:
        """For each mapped task the mapped tasks that wait for nothing of it but each child for one of its children."""
        found: dict[int, list[int]] = {}
        for number in sorted(self.mapped):
            ends = [*self.marked_inputs(number), *self.after[number]]
            for other in self.mapped.intersection([position for position, _ in ends]):
                if all(mark == MAPPED for position, mark in ends if position == other):
                    found.setdefault(other, []).append(number)
        return found

    @cached_property
    def uses(self) -> list[int]:
        """How many tasks wait for each."""
        counted = Counter(chain.from_iterable(map(self.upstream, range(len(self.tasks)))))
        return [counted[number] for number in range(len(self.tasks))]

    def upstream(self, number: int) -> set[int]:
        """Return the numbers of the tasks that task *number* waits for."""
        above = {position for position in self.inputs[number] if position < len(self.tasks)}
        return above.union([other for other, _ in self.after[number]]) if self.after[number] else above

    def marked_inputs(self, number: int) -> list[tuple[int, int]]:
        """Return the positions of a task's inputs, each with how it passes."""
        inputs = self.inputs[number]
        return list(zip(inputs, self.marks[number] or (0,) * len(inputs), strict=True))

    def downstream(self, numbers: Sequence[int]) -> tuple[dict[int, list[int]], dict[int, int]]:
        """Return for *numbers* who among them waits for each, and for how many of them each waits."""
        among = set(numbers)
        waiting: dict[int, list[int]] = {number: [] for number in numbers}
        counts: dict[int, int] = {}
        for number in numbers:
            upstream = self.upstream(number) & among
            counts[number] = len(upstream)
            for other in upstream:
                waiting[other].append(number)
        return waiting, counts

    def _sort(self) -> list[int]:
        """Return an order, the order of creation where there is a choice; raises CycleError."""
        count = len(self.tasks)
        sorter = graphlib.TopologicalSorter(dict.fromkeys(range(count), ()))
        for number in range(count):
            sorter.add(number, *self.upstream(number))
        try:
            return [*sorter.static_order()]
        except graphlib.CycleError as error:
            names = " → ".join([self.tasks[number].name for number in error.args[1]])
            message = f"The tasks depend on one another in a circle: {names}. Take out one of these dependencies"
            raise errors.CycleError(message) from None
