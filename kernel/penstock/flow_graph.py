"""Building the graph of a flow: tasks are added and bound, joined from another flow, and exchanged."""

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from penstock import errors
from penstock.context import open_blocks, within_blocks
from penstock.edges import FLATTENED, MAPPED, WHOLE, Binding, Edge, EdgeAnnotation, End
from penstock.flow_queries import FlowQueries
from penstock.parameters import Parameter
from penstock.tasks import Task
from penstock.tasks.collections import SIMPLE, Constant, as_input


class FlowGraph(FlowQueries):
    """A graph of tasks that can be changed."""

    def __init__(self, name: str) -> None:
        """Begin without tasks; *name* is for messages."""
        super().__init__(name)
        self._made: list[list[Task]] = []
        self._tags: frozenset[str] = frozenset()

    def add_task(self, task: Task) -> Task:
        """Add *task*, unless it is in the flow already, and return it.

        Raises TypeError for what is no task, DuplicateKeyError if another task has its slug.
        """
        if not isinstance(task, Task):
            raise TypeError(f'Flow "{self.name}" takes tasks; found {task!r}')
        within_blocks(self)
        if task not in self._bindings:
            self._add(task, None)
        return task

    def _add(self, task: Task, binding: Binding | None) -> None:
        slug = task.options.slug
        if slug is not None:
            if slug in self._by_slug:
                message = f'Flow "{self.name}" already has a task with the slug "{slug}": {self._by_slug[slug]!r}'
                raise errors.DuplicateKeyError(f"{message}; {task!r} needs another")
            self._by_slug[slug] = task
        self._bindings[task] = binding
        self._plan = self._slugs = self._index = None

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
        self, task: Task, keys: tuple[str, ...] | None, values: tuple[Any, ...], upstream_tasks: Iterable[Any] | None,
        mapped: bool,
    ) -> None:  # fmt: skip
        """Write down what a call has bound *task* to, adding the tasks among the values."""
        if not mapped and upstream_tasks is None and self._passes_plainly(values):
            binding = Binding(keys, values)
        else:
            binding = self._marked(task.signature.names if keys is None else keys, values, upstream_tasks or (), mapped)
            binding.keys = keys
        if task not in self._bindings:
            self._add(task, binding if values or upstream_tasks else None)
        elif values or upstream_tasks:
            self._bind_more(task, binding)

    def _passes_plainly(self, values: tuple[Any, ...]) -> bool:
        """Return whether *values* are tasks, which are added, and constants that hold none."""
        for value in values:
            if type(value) in SIMPLE:
                continue
            if not isinstance(value, Task):
                return False
            if value not in self._bindings:
                self.add_task(value)
        return True

    def _remove(self, task: Task) -> None:
        """Take out a task that no other waits for, as if it had never been made."""
        del self._bindings[task]
        for made in self._made:
            made[:] = [other for other in made if other is not task]
        self._plan = self._slugs = self._index = None

    def _bind_more(self, task: Task, binding: Binding) -> None:
        before, names = self._bindings[task] or Binding(), task.signature.names
        twice = set(before.names(names)) & set(binding.names(names))
        if twice:
            key = min(twice)
            message = f'{task!r} in flow "{self.name}" was given the input "{key}" twice; take out one of the two'
            raise errors.DuplicateKeyError(message)
        self._bindings[task] = before.joined(binding, names)
        self._plan = self._index = None

    def _marked(self, names: Iterable[str], values: Iterable[Any], waited: Iterable[Any], mapped: bool) -> Binding:
        if mapped and any(block.maps for block in open_blocks.get()):
            raise errors.FlowError("A function given to apply_map is mapped as a whole; in it, call tasks without .map")
        ends: list[End] = []
        for key, value in (*zip(names, values, strict=False), *((None, value) for value in waited)):
            inner, mark = self._marked_one(value, mapped=mapped)
            if key is not None or isinstance(inner, Task):
                ends.append((inner, key, mark))
        return Binding.of(ends)

    def _marked_one(self, value: Any, *, mapped: bool) -> tuple[Any, int]:
        """Return a value, or the task that gathers it, and how it passes; raises TypeError if it cannot be mapped."""
        annotation = value if isinstance(value, EdgeAnnotation) else EdgeAnnotation(value)
        is_mapped = mapped if annotation.mapped is None else annotation.mapped
        inner = as_input(annotation.value, self)
        if isinstance(inner, Task):
            self.add_task(inner)
        elif is_mapped and (not hasattr(inner, "__getitem__") or isinstance(inner, dict)):
            message = f"A task cannot be mapped over {inner!r}, which is no list"
            raise TypeError(f"{message}; to pass it whole, mark it: unmapped(...)")
        whole = annotation.mapped is False and any(block.maps for block in open_blocks.get())
        return inner, MAPPED * is_mapped | FLATTENED * annotation.flattened | WHOLE * whole

    def add_edge(
        self, upstream_task: Any, downstream_task: Any, key: str | None = None, *, mapped: bool = False,
        flattened: bool = False, validate: bool | None = None,
    ) -> Edge | None:  # fmt: skip
        """Let *downstream_task* wait for *upstream_task* and, with *key*, take its value.

        Either may be a collection of tasks. Returns the edge, or None if *upstream_task* is no task. Raises FlowError
        for an input of a parameter, DuplicateKeyError for a key that is bound already, TypeError for a key that `run`
        does not take; with *validate* CycleError at once, and not when the flow is run.
        """
        if isinstance(downstream_task, Parameter):
            raise _takes_no_inputs(downstream_task)
        within_blocks(self)
        downstream_task = as_input(downstream_task, self)
        if not isinstance(downstream_task, Task):
            message = f'Flow "{self.name}" takes tasks; found {downstream_task!r}'
            raise TypeError(f"{message}, which cannot wait for {upstream_task!r}")
        marks = {"mapped": mapped, "flattened": flattened}
        edge = Edge(upstream_task, downstream_task, key, **marks) if isinstance(upstream_task, Task) else None
        marked = EdgeAnnotation(upstream_task, **marks)
        inputs, waited = ({key: marked}, ()) if key is not None else ({}, (marked,))
        self.set_dependencies(downstream_task, waited, (), inputs, mapped=mapped, validate=validate)
        return edge

    def set_dependencies(
        self, task: Task, upstream_tasks: Iterable[Any] | None = None, downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None, *, mapped: bool = False, validate: bool | None = None,
    ) -> None:  # fmt: skip
        """Set several dependencies of *task* at once.

        *keyword_tasks* are its inputs, tasks or values; with *mapped* it runs once for each item of them and of the
        *upstream_tasks*. Raises what `add_edge` does.
        """
        self.add_task(task)
        keywords = dict(keyword_tasks or {})
        task.signature.check_names(tuple(keywords))
        self._bind(task, tuple(keywords), tuple(keywords.values()), list(upstream_tasks or ()), mapped)
        for downstream_task in downstream_tasks or ():
            self.add_edge(task, downstream_task)
        if validate:
            self.compile()

    def chain(self, *tasks: Task, validate: bool | None = None) -> list[Edge]:
        """Let each of *tasks* wait for the one before; with *validate* CycleError is raised at once."""
        edges = [edge for one, two in itertools.pairwise(tasks) if (edge := self.add_edge(one, two)) is not None]
        if validate:
            self.compile()
        return edges

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Let *tasks* decide how a run ends; raises UnknownTaskError for one that is not in the flow."""
        chosen = set(tasks)
        for task in chosen:
            self._binding(task)
        self._reference_tasks = chosen

    # changing

    def update(
        self, flow: FlowQueries, *, merge_parameters: bool = False, validate: bool | None = None,
        merge_reference_tasks: bool = False,
    ) -> None:  # fmt: skip
        """Add the tasks of *flow*, with what they are bound to there.

        With *merge_parameters* its parameters take the place of those of the same name here, and the outcome is
        validated. With *merge_reference_tasks* its reference tasks join those here. Raises DuplicateKeyError for two
        tasks of one slug, or an input that the two flows bind differently; the flow is then left as it was.
        """
        theirs = {parameter.name: parameter for parameter in flow.parameters()} if merge_parameters else {}
        with self._all_or_nothing(validate=validate or merge_parameters):
            for parameter in self.parameters():
                if theirs.get(parameter.name, parameter) is not parameter:
                    self._exchange(parameter, theirs[parameter.name])
            for task, binding in flow._bindings.items():  # noqa: SLF001 - of this class
                if task not in self._bindings:
                    self._add(task, binding)
                elif binding is not None:
                    self._bind_again(task, binding)
            if merge_reference_tasks:
                self.set_reference_tasks(self.reference_tasks() | flow.reference_tasks())

    def replace(self, old: Task, new: Any, *, validate: bool = True) -> None:
        """Put *new*, a task or a value, in the place of the task *old*: among inputs, edges and reference tasks.

        A task takes over what *old* was bound to, its constants included, beside what it is bound to here already.
        Raises UnknownTaskError for an *old* that is not in the flow, TypeError for a *new* that does not take its
        inputs, and with *validate* what `validate` does; the flow is then left as it was.
        """
        self._binding(old)
        if new is not old:
            with self._all_or_nothing(validate=validate):
                self._exchange(old, new)

    @contextmanager
    def _all_or_nothing(self, *, validate: bool) -> Iterator[None]:
        before = dict(self._bindings), dict(self._by_slug), self._reference_tasks
        try:
            yield
            if validate:
                self.validate()
        except BaseException:
            self._bindings, self._by_slug, self._reference_tasks = before
            self._plan = self._slugs = self._index = None
            raise

    def _exchange(self, old: Task, new: Any) -> None:
        place, inputs = list(self._bindings).index(old), self._bindings.pop(old)
        self._by_slug = {slug: task for slug, task in self._by_slug.items() if task is not old}
        self._plan = self._slugs = self._index = None
        count = len(self._bindings)
        value, _ = self._marked_one(new, mapped=False)
        for task, binding in self._bindings.items():
            if binding is not None and any(one is old for one in (*binding.values, *binding.after)):
                self._bindings[task] = self._pointed(task, binding, old, value)
        items = list(self._bindings.items())
        self._bindings = dict(items[:place] + items[count:] + items[place:count])  # slugs of other tasks stay
        if isinstance(value, Task) and inputs is not None:
            self._bind_again(value, Binding.of(inputs.ends(old.signature.names)))
        if old in (self._reference_tasks or ()):
            kept = {task for task in self._reference_tasks or () if task is not old}
            self._reference_tasks = {*kept, value} if isinstance(value, Task) else kept

    def _pointed(self, task: Task, binding: Binding, old: Task, value: Any) -> Binding:
        """Return the binding of *task* with *value* where *old* was; a value is nothing to wait for."""
        if isinstance(value, Task):
            Edge(value, task)  # refuses a task that would wait for itself
        ends = [(value if one is old else one, key, mark) for one, key, mark in binding.ends(task.signature.names)]
        for one, key, mark in ends:
            if one is value and key is not None:
                self._marked_one(value, mapped=bool(mark & MAPPED))
        return Binding.of([end for end in ends if end[1] is not None or isinstance(end[0], Task)])

    def _bind_again(self, task: Task, binding: Binding) -> None:
        """Bind *task* to what it is not bound to already."""
        names = task.signature.names
        known = {(id(one), key, mark) for one, key, mark in (self._bindings[task] or Binding()).ends(names)}
        new = [end for end in binding.ends(names) if (id(end[0]), *end[1:]) not in known]
        if new and isinstance(task, Parameter):
            raise _takes_no_inputs(task)
        if new:
            task.signature.check_names(tuple(key for _, key, _ in new if key is not None))
            self._bind_more(task, Binding.of(new))

    def validate(self) -> None:
        """Raise CycleError if tasks depend on one another in a circle, TypeError if a task lacks an input."""
        self.compile()
        for task, binding in self._bindings.items():
            inputs = task.signature
            given = binding.names(inputs.names) if binding and inputs.required else ()
            if missing := inputs.required.difference(given):
                raise TypeError(f'{task!r} in flow "{self.name}" needs a value for {errors.listing(missing)}')


def _takes_no_inputs(parameter: Parameter) -> errors.FlowError:
    return errors.FlowError(f"{parameter!r} takes no inputs; its value is given when the flow is run")
