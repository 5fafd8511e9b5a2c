"""The graph of a flow: its tasks, what they are bound to, and what can be asked about both."""

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from penstock import errors
from penstock.context import open_blocks, within_blocks
from penstock.edges import FLATTENED, MAPPED, WHOLE, Binding, Edge, EdgeAnnotation
from penstock.engine.plan import Plan
from penstock.parameters import Parameter
from penstock.resources import ResourceCleanup, ResourceInit
from penstock.tasks import Task
from penstock.tasks.collections import SIMPLE, Constant, as_input


class FlowGraph:
    """Tasks in the order in which they were added, and for each what a call has bound it to."""

    def __init__(self, name: str) -> None:
        """Begin without tasks; *name* is for messages."""
        self.name: str = name
        self._bindings: dict[Task, Binding | None] = {}
        self._by_slug: dict[str, Task] = {}
        self._reference_tasks: set[Task] | None = None
        self._plan: Plan | None = None
        self._slugs: dict[Task, str] | None = None
        self._made: list[list[Task]] = []
        self._tags: frozenset[str] = frozenset()

    # building

    def add_task(self, task: Task) -> Task:
        """Add *task*, unless it is in the flow already, and return it.

        Raises TypeError for what is no task, DuplicateKeyError if another task has its slug.
        """
        if not isinstance(task, Task):
            message = f'Flow "{self.name}" takes tasks; found {task!r}'
            raise TypeError(message)
        within_blocks(self)
        if task not in self._bindings:
            self._add(task, None)
        return task

    def _add(self, task: Task, binding: Binding | None) -> None:
        slug = task.options.slug
        if slug is not None:
            if slug in self._by_slug:
                other = self._by_slug[slug]
                message = (
                    f'Flow "{self.name}" already has a task with the slug "{slug}": {other!r}; {task!r} needs another'
                )
                raise errors.DuplicateKeyError(message)
            self._by_slug[slug] = task
        self._bindings[task] = binding
        self._plan = self._slugs = None

    @contextmanager
    def tagging(self, tags: Iterable[str]) -> Iterator[None]:
        """Add *tags* to the tasks that are called inside the block; `penstock.tags` does this for the active flow."""
        before, self._tags = self._tags, frozenset(tags)
        try:
            yield
        finally:
            self._tags = before

    def _note(self, task: Task) -> None:
        """Write down a task that was made in the innermost `with` block."""
        if self._made:
            self._made[-1].append(task)

    def _warn_of_unused(self, made: list[Task]) -> None:
        """Warn of the tasks of a `with` block that did not come into the flow, nor did a copy of them."""
        left = [task for task in made if task not in self._bindings and not isinstance(task, (Constant, Parameter))]
        used = {id(part) for task in self._bindings for part in task.shared()} if left else set()
        unused = [task for task in left if used.isdisjoint(map(id, task.shared()))]
        if unused:
            message = f'Tasks were made in the block of flow "{self.name}" but not added to it: {unused}. Call them'
            warnings.warn(message, stacklevel=3)

    def _bind(
        self,
        task: Task,
        keys: tuple[str, ...] | None,
        values: tuple[Any, ...],
        upstream_tasks: Iterable[Any] | None,
        mapped: bool,
    ) -> None:
        """Write down what a call has bound *task* to, adding the tasks among the values."""
        bindings = self._bindings
        plain = not mapped and upstream_tasks is None
        if plain:
            for value in values:
                if type(value) in SIMPLE:
                    continue
                if not isinstance(value, Task):
                    plain = False
                    break
                if value not in bindings:
                    self.add_task(value)
        binding = Binding(keys, values) if plain else self._marked(keys, values, upstream_tasks or (), mapped=mapped)
        if task not in bindings:
            self._add(task, binding if values or upstream_tasks else None)
        elif values or upstream_tasks:
            self._bind_more(task, binding)

    def _remove(self, task: Task) -> None:
        """Take out a task that no other waits for, as if it had never been made."""
        del self._bindings[task]
        for made in self._made:
            made[:] = [other for other in made if other is not task]
        self._plan = self._slugs = None

    def _bind_more(self, task: Task, binding: Binding) -> None:
        before, names = self._bindings[task] or Binding(), task.signature.names
        twice = set(before.names(names)) & set(binding.names(names))
        if twice:
            key = min(twice)
            message = f'{task!r} in flow "{self.name}" was given the input "{key}" twice; take out one of the two'
            raise errors.DuplicateKeyError(message)
        self._bindings[task] = before.joined(binding, names)
        self._plan = None

    def _marked(
        self,
        keys: tuple[str, ...] | None,
        values: tuple[Any, ...],
        upstream_tasks: Iterable[Any],
        *,
        mapped: bool,
    ) -> Binding:
        if mapped and any(block.maps for block in open_blocks.get()):
            message = "A function given to apply_map is mapped as a whole; inside it, call tasks without .map"
            raise errors.FlowError(message)
        inputs = [self._marked_one(value, mapped=mapped) for value in values]
        after = [self._marked_one(value, mapped=mapped) for value in upstream_tasks]
        waited = [(value, mark) for value, mark in after if isinstance(value, Task)]
        return Binding(
            keys,
            tuple([value for value, _ in inputs]),
            tuple([mark for _, mark in inputs]) if any(mark for _, mark in inputs) else None,
            tuple([value for value, _ in waited]),
            tuple([mark for _, mark in waited]) if any(mark for _, mark in waited) else None,
        )

    def _marked_one(self, value: Any, *, mapped: bool) -> tuple[Any, int]:
        """Return a value, or the task that gathers it, and how it passes; raises TypeError if it cannot be mapped."""
        annotation = value if isinstance(value, EdgeAnnotation) else EdgeAnnotation(value)
        is_mapped = mapped if annotation.mapped is None else annotation.mapped
        inner = as_input(annotation.value, self)
        if isinstance(inner, Task):
            self.add_task(inner)
        elif is_mapped and (not hasattr(inner, "__getitem__") or isinstance(inner, dict)):
            message = (
                f"A task cannot be mapped over {inner!r}, which is no list; to pass it whole, mark it: unmapped(...)"
            )
            raise TypeError(message)
        whole = annotation.mapped is False and any(block.maps for block in open_blocks.get())
        return inner, MAPPED * is_mapped | FLATTENED * annotation.flattened | WHOLE * whole

    def add_edge(
        self,
        upstream_task: Any,
        downstream_task: Any,
        key: str | None = None,
        *,
        mapped: bool = False,
        flattened: bool = False,
    ) -> Edge | None:
        """Let *downstream_task* wait for *upstream_task* and, with *key*, take its value.

        Either may be a collection of tasks. Returns the edge, or None if *upstream_task* is no task. Raises FlowError
        for an input of a parameter, DuplicateKeyError for a key that is bound already, TypeError for a key that `run`
        does not take.
        """
        if isinstance(downstream_task, Parameter):
            message = f"{downstream_task!r} takes no inputs; its value is given when the flow is run"
            raise errors.FlowError(message)
        within_blocks(self)
        downstream_task = as_input(downstream_task, self)
        if not isinstance(downstream_task, Task):
            message = (
                f'Flow "{self.name}" takes tasks; found {downstream_task!r}, which cannot wait for {upstream_task!r}'
            )
            raise TypeError(message)
        edge = None
        if isinstance(upstream_task, Task):
            edge = Edge(upstream_task, downstream_task, key, mapped=mapped, flattened=flattened)
        marked = EdgeAnnotation(upstream_task, mapped=mapped, flattened=flattened)
        if key is None:
            self._bind(downstream_task, (), (), [marked], mapped)
        else:
            downstream_task.signature.check_names((key,))
            self._bind(downstream_task, (key,), (marked,), None, mapped)
        return edge

    def _join(self, edge: Edge) -> None:
        self.add_edge(edge.upstream_task, edge.downstream_task, edge.key, mapped=edge.mapped, flattened=edge.flattened)

    def set_dependencies(
        self,
        task: Task,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        *,
        mapped: bool = False,
    ) -> None:
        """Set several dependencies of *task* at once.

        *keyword_tasks* are its inputs, tasks or values; with *mapped* it runs once for each item of them and of the
        *upstream_tasks*.
        """
        self.add_task(task)
        keywords = dict(keyword_tasks or {})
        task.signature.check_names(tuple(keywords))
        self._bind(task, tuple(keywords), tuple(keywords.values()), list(upstream_tasks or ()), mapped)
        for downstream_task in downstream_tasks or ():
            self.add_edge(task, downstream_task)

    def chain(self, *tasks: Task) -> list[Edge]:
        """Let each of *tasks* wait for the one before."""
        return [edge for one, two in itertools.pairwise(tasks) if (edge := self.add_edge(one, two)) is not None]

    # looking

    @property
    def tasks(self) -> set[Task]:
        """All tasks."""
        return set(self._bindings)

    @property
    def edges(self) -> set[Edge]:
        """All edges, derived from what the tasks are bound to."""
        return {edge for task in self._bindings for edge in self.edges_to(task)}

    @property
    def slugs(self) -> dict[Task, str]:
        """The name of each task in this flow: its own slug, or its name, tags and a number."""
        if self._slugs is None:
            counts: dict[str, int] = {}
            slugs: dict[Task, str] = {}
            for task in self._bindings:
                stem = "-".join([task.name, *sorted(task.options.tags)])
                slug = task.options.slug
                while slug is None or (task.options.slug is None and slug in self._by_slug):
                    counts[stem] = counts.get(stem, 0) + 1
                    slug = f"{stem}-{counts[stem]}"
                slugs[task] = slug
            self._slugs = slugs
        return self._slugs

    def edges_to(self, task: Task) -> set[Edge]:
        """Return the edges into *task*; raises UnknownTaskError."""
        binding = self._binding(task)
        if binding is None:
            return set()
        names = binding.names(task.signature.names)
        ends = [
            *zip(binding.values, names, binding.marks or (0,) * len(names), strict=True),
            *(
                (one, None, mark)
                for one, mark in zip(binding.after, binding.after_marks or (0,) * len(binding.after), strict=True)
            ),
        ]
        return {
            Edge(value, task, key, mapped=bool(mark & MAPPED), flattened=bool(mark & FLATTENED))
            for value, key, mark in ends
            if isinstance(value, Task)
        }

    def edges_from(self, task: Task) -> set[Edge]:
        """Return the edges out of *task*; raises UnknownTaskError."""
        self._binding(task)
        return {edge for edge in self.edges if edge.upstream_task is task}

    def constants(self, task: Task) -> dict[str, Any]:
        """Return the inputs of *task* that are values and not tasks; raises UnknownTaskError."""
        binding = self._binding(task) or Binding()
        names = binding.names(task.signature.names) if binding.values else ()
        return {key: value for key, value in zip(names, binding.values, strict=True) if not isinstance(value, Task)}

    def upstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that *task* waits for; raises UnknownTaskError."""
        return {edge.upstream_task for edge in self.edges_to(task)}

    def downstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that wait for *task*; raises UnknownTaskError."""
        return {edge.downstream_task for edge in self.edges_from(task)}

    def root_tasks(self) -> set[Task]:
        """Return the tasks that wait for no other."""
        plan = self.compile()
        return {task for number, task in enumerate(plan.tasks) if not plan.upstream(number)}

    def terminal_tasks(self) -> set[Task]:
        """Return the tasks that no other waits for."""
        plan = self.compile()
        waited = {other for number in range(len(plan.tasks)) for other in plan.upstream(number)}
        return {task for number, task in enumerate(plan.tasks) if number not in waited}

    def sorted_tasks(self) -> tuple[Task, ...]:
        """Return the tasks in an order in which each comes after those it waits for; raises CycleError."""
        plan = self.compile()
        return tuple(plan.tasks[number] for number in plan.order)

    def parameters(self) -> set[Parameter]:
        """Return the parameters."""
        return {task for task in self._bindings if isinstance(task, Parameter)}

    def get_tasks(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        task_type: type[Task] = Task,
    ) -> list[Task]:
        """Return the tasks that have the name, the slug, all the tags and the type asked for."""
        wanted = set(tags or ())
        return [
            task
            for task in self._bindings
            if (name is None or task.name == name)
            and (slug is None or self.slugs[task] == slug)
            and wanted <= task.options.tags
            and isinstance(task, task_type)
        ]

    def reference_tasks(self) -> set[Task]:
        """Return the tasks that decide how a run ends; the terminal tasks unless others were set.

        What makes and cleans up a resource does not count.
        """
        if self._reference_tasks:
            return set(self._reference_tasks)
        plan = self.compile()
        ends = [number for number, task in enumerate(plan.tasks) if isinstance(task, ResourceCleanup)]
        if not ends:
            return self.terminal_tasks()
        waited = {other for number in set(plan.order).difference(ends) for other in plan.upstream(number)}
        unwaited = [task for number, task in enumerate(plan.tasks) if number not in waited]
        return {task for task in unwaited if not isinstance(task, (ResourceInit, ResourceCleanup))}

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Let *tasks* decide how a run ends; raises UnknownTaskError for one that is not in the flow."""
        chosen = set(tasks)
        for task in chosen:
            self._binding(task)
        self._reference_tasks = chosen

    def _binding(self, task: Task) -> Binding | None:
        try:
            return self._bindings[task]
        except (KeyError, TypeError):
            message = f'{task!r} is not in flow "{self.name}"; add it with flow.add_task(...)'
            raise errors.UnknownTaskError(message) from None

    def __iter__(self) -> Iterator[Task]:
        """Iterate over the tasks, each after those it waits for."""
        return iter(self.sorted_tasks())

    def __len__(self) -> int:
        """Return how many tasks there are."""
        return len(self._bindings)

    def __bool__(self) -> bool:
        """Return True: a flow without tasks is a flow."""
        return True

    def __contains__(self, task: object) -> bool:
        """Return whether *task* is in the flow."""
        return task in self._bindings

    # compiling

    def compile(self) -> Plan:
        """Return the flow as the engine's arrays; raises CycleError naming a cycle."""
        if self._plan is None:
            self._plan = Plan(self._bindings)
        return self._plan

    def validate(self) -> None:
        """Raise CycleError if tasks depend on one another in a circle, TypeError if a task lacks an input."""
        self.compile()
        for task, binding in self._bindings.items():
            given = binding.names(task.signature.names) if binding else ()
            missing = sorted(task.signature.required.difference(given))
            if missing:
                message = f'{task!r} in flow "{self.name}" needs a value for {", ".join(missing)}'
                raise TypeError(message)
