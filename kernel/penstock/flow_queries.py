"""What can be asked about a flow: its tasks, what they are bound to, and the order they stand in."""

import itertools
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from penstock import errors
from penstock.edges import FLATTENED, MAPPED, Binding, Edge, End
from penstock.engine.plan import Plan
from penstock.parameters import Parameter
from penstock.resources import ResourceCleanup, ResourceInit
from penstock.tasks import Task


class Index:
    """The edges and constants of a flow by task, derived from its bindings for whoever asks about many tasks."""

    __slots__ = ("constants", "downstream", "upstream")

    def __init__(self, bindings: Mapping[Task, Binding | None]) -> None:
        """Derive them, in time and space linear in the size of the flow."""
        self.upstream: dict[Task, set[Edge]] = {task: _edges(task, binding) for task, binding in bindings.items()}
        self.downstream: dict[Task, set[Edge]] = {task: set() for task in bindings}
        self.constants: defaultdict[Task, dict[str, Any]] = defaultdict(dict)
        for edge in (edge for edges in self.upstream.values() for edge in edges):
            self.downstream[edge.upstream_task].add(edge)
        for task, binding in bindings.items():
            values = {key: value for value, key, _ in _ends(task, binding) if not isinstance(value, Task) and key}
            if values:
                self.constants[task] = values


def _ends(task: Task, binding: Binding | None) -> list[End]:
    return binding.ends(task.signature.names) if binding is not None else []


def _edges(task: Task, binding: Binding | None) -> set[Edge]:
    return {
        Edge(value, task, key, mapped=bool(mark & MAPPED), flattened=bool(mark & FLATTENED))
        for value, key, mark in _ends(task, binding)
        if isinstance(value, Task)
    }


class FlowQueries:
    """Tasks in the order in which they were added, and for each what a call has bound it to."""

    def __init__(self, name: str) -> None:
        """Begin without tasks; *name* is for messages."""
        self.name: str = name
        self._bindings: dict[Task, Binding | None] = {}
        self._by_slug: dict[str, Task] = {}
        self._reference_tasks: set[Task] | None = None
        self._plan: Plan | None = None
        self._slugs: dict[Task, str] | None = None
        self._index: Index | None = None

    @property
    def tasks(self) -> set[Task]:
        """All tasks."""
        return set(self._bindings)

    @property
    def edges(self) -> set[Edge]:
        """All edges, derived from what the tasks are bound to."""
        return set().union(*self._indexed().upstream.values())

    @property
    def constants(self) -> Mapping[Task, dict[str, Any]]:
        """For each task its inputs that are values and not tasks; empty for a task that has none."""
        return MappingProxyType(self._indexed().constants)

    def _indexed(self) -> Index:
        if self._index is None:
            self._index = Index(self._bindings)
        return self._index

    @property
    def slugs(self) -> dict[Task, str]:
        """The name of each task in this flow: its own slug, or its name, tags and a number."""
        if self._slugs is None:
            slugs: dict[Task, str] = {}
            counts: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
            for task in self._bindings:
                own, tags = task.options.slug, task.options.tags
                stem = "-".join([task.name, *sorted(tags)]) if tags else task.name
                slug = own
                while slug is None or (slug in self._by_slug and slug != own):
                    slug = f"{stem}-{next(counts[stem])}"
                slugs[task] = slug
            self._slugs = slugs
        return self._slugs

    def edges_to(self, task: Task) -> set[Edge]:
        """Return the edges into *task*; raises UnknownTaskError."""
        return _edges(task, self._binding(task))

    def edges_from(self, task: Task) -> set[Edge]:
        """Return the edges out of *task*; raises UnknownTaskError."""
        self._binding(task)
        return set(self._indexed().downstream[task])

    def all_upstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges into it."""
        return {task: set(edges) for task, edges in self._indexed().upstream.items()}

    def all_downstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges out of it."""
        return {task: set(edges) for task, edges in self._indexed().downstream.items()}

    def upstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that *task* waits for; raises UnknownTaskError."""
        return {edge.upstream_task for edge in self.edges_to(task)}

    def downstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that wait for *task*; raises UnknownTaskError."""
        return {edge.downstream_task for edge in self.edges_from(task)}

    def is_mapped(self, task: Task) -> bool:
        """Return whether *task* runs once for each item of an input; raises UnknownTaskError."""
        return (self._binding(task) or Binding()).is_mapped()

    def root_tasks(self) -> set[Task]:
        """Return the tasks that wait for no other."""
        plan = self.compile()
        return {task for number, task in enumerate(plan.tasks) if not plan.upstream(number)}

    def terminal_tasks(self) -> set[Task]:
        """Return the tasks that no other waits for."""
        return self._unwaited()

    def _unwaited(self, apart: Container[int] = ()) -> set[Task]:
        """Return the tasks that no other waits for, but for those of the numbers *apart*."""
        plan = self.compile()
        waited = set().union(*(plan.upstream(number) for number in range(len(plan.tasks)) if number not in apart))
        return {task for number, task in enumerate(plan.tasks) if number not in waited}

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> tuple[Task, ...]:
        """Return the tasks in an order in which each comes after those it waits for; raises CycleError.

        With *root_tasks* only these and what is downstream of them; raises UnknownTaskError for one not in the flow.
        """
        plan, roots = self.compile(), set(root_tasks or ())
        for task in roots:
            self._binding(task)
        reached = set(plan.order) if not roots else {n for n, task in enumerate(plan.tasks) if task in roots}
        for number in plan.order if roots else ():
            if not reached.isdisjoint(plan.upstream(number)):
                reached.add(number)
        return tuple(plan.tasks[number] for number in plan.order if number in reached)

    def parameters(self) -> set[Parameter]:
        """Return the parameters."""
        return {task for task in self._bindings if isinstance(task, Parameter)}

    def get_tasks(
        self, name: str | None = None, slug: str | None = None, tags: Iterable[str] | None = None,
        task_type: type[Task] = Task,
    ) -> list[Task]:  # fmt: skip
        """Return the tasks that have the name, the slug, all the tags and the type asked for."""
        wanted = set(tags or ())
        return [
            task for task in self._bindings
            if (name is None or task.name == name) and (slug is None or self.slugs[task] == slug)
            and wanted <= task.options.tags and isinstance(task, task_type)
        ]  # fmt: skip

    def reference_tasks(self) -> set[Task]:
        """Return the tasks that decide how a run ends; the terminal tasks unless others were set.

        What makes and cleans up a resource does not count.
        """
        if self._reference_tasks:
            return set(self._reference_tasks)
        cleaning = {n for n, task in enumerate(self.compile().tasks) if isinstance(task, ResourceCleanup)}
        return {one for one in self._unwaited(cleaning) if not isinstance(one, (ResourceInit, ResourceCleanup))}

    def _binding(self, task: Task) -> Binding | None:
        try:
            return self._bindings[task]
        except (KeyError, TypeError):
            message = f'{task!r} is not in flow "{self.name}"; add it with flow.add_task(...)'
            raise errors.UnknownTaskError(message) from None

    def __iter__(self) -> Iterator[Task]:
        """Iterate over the tasks, each after those it waits for."""
        return iter(self.sorted_tasks())

    def __contains__(self, task: object) -> bool:
        """Return whether *task* is in the flow."""
        return task in self._bindings

    def __eq__(self, other: object) -> bool:
        """Compare name, tasks, edges and reference tasks; tasks are equal if they are the same."""
        if not isinstance(other, FlowQueries) or type(self) is not type(other):
            return NotImplemented
        same = (self.name, self.tasks, self.edges) == (other.name, other.tasks, other.edges)
        chosen = self._reference_tasks or other._reference_tasks
        return same and (not chosen or self.reference_tasks() == other.reference_tasks())

    def __hash__(self) -> int:
        """Hash by identity, as flows can be changed."""
        return id(self)

    # compiling

    def compile(self) -> Plan:
        """Return the flow as the engine's arrays; raises CycleError naming a cycle."""
        if self._plan is None:
            self._plan = Plan(self._bindings)
        return self._plan
