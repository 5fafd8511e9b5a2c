"""Flow: a graph of tasks that can be built, validated, run, registered and drawn."""

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from penstock import errors
from penstock.context import active_flow, context
from penstock.edges import FLATTENED, MAPPED, Binding, Edge, EdgeAnnotation
from penstock.engine.plan import Plan
from penstock.parameters import Parameter
from penstock.running import ExecutorChoice, check_parameters, rare_collections, run_flow
from penstock.states import Pending
from penstock.tasks import Task
from penstock.tasks.collections import SIMPLE, as_input
from penstock.tasks.options import OnFailure

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from penstock.executors import Executor
    from penstock.graph import Graph
    from penstock.results import Result
    from penstock.run_configs import RunConfig
    from penstock.schedules import Schedule
    from penstock.spec import FlowSpec
    from penstock.states import State
    from penstock.storage import Storage


class Flow:
    """A graph of tasks.

    Build it by calling tasks inside its `with` block, or with `add_task`, `add_edge` and `set_dependencies`. Tasks are
    kept in the order in which they were added; edges are derived from what tasks are bound to.
    """

    def __init__(
        self,
        name: str,
        schedule: "Schedule | None" = None,
        executor: "Executor | str | Mapping[str, Any] | None" = None,
        run_config: "RunConfig | None" = None,
        storage: "Storage | str | Mapping[str, Any] | None" = None,
        tasks: Iterable[Task] | None = None,
        edges: Iterable[Edge] | None = None,
        reference_tasks: Iterable[Task] | None = None,
        state_handlers: "Sequence[Callable[[Flow, State, State], State | None]] | None" = None,
        on_failure: "Callable[[Flow, State], None] | None" = None,
        result: "Result | str | Mapping[str, Any] | None" = None,
    ) -> None:
        """Make a flow; raises FlowError without a name.

        *executor*, *storage* and *result* are objects, type names (`"threads"`) or tables of a type and options.
        """
        if not name:
            message = "A flow needs a name: Flow('my-flow')"
            raise errors.FlowError(message)
        if state_handlers is not None and (isinstance(state_handlers, str) or not isinstance(state_handlers, Sequence)):
            message = f'state_handlers of flow "{name}" must be a list of functions; found {state_handlers!r}'
            raise TypeError(message)
        self.name = name
        self.module: str | None = sys._getframe(1).f_globals.get("__name__")  # noqa: SLF001 - names the script it is in
        self.schedule = schedule
        self.executor = executor
        self.run_config = run_config
        self.result = result
        self.state_handlers: list[Callable[[Flow, State, State], State | None]] = list(state_handlers or ())
        if on_failure is not None:
            self.state_handlers.append(OnFailure(on_failure))
        self._bindings: dict[Task, Binding | None] = {}
        self._by_slug: dict[str, Task] = {}
        self._reference_tasks: set[Task] | None = None
        self._storage: Storage | None = None
        self._plan: Plan | None = None
        self._slugs: dict[Task, str] | None = None
        self._blocks: list[tuple[Any, Any, Token[Any]]] = []
        self.storage = storage
        for task in tasks or ():
            self.add_task(task)
        for edge in edges or ():
            self._join(edge)
        if reference_tasks is not None:
            self.set_reference_tasks(reference_tasks)
        loading = context.get("loading_flow")
        if isinstance(loading, list):
            loading.append(self)

    # building

    def __enter__(self) -> Self:
        """Let tasks that are called inside the block join this flow."""
        inner, collections = context(flow=self), rare_collections()
        inner.__enter__()
        collections.__enter__()
        self._blocks.append((inner, collections, active_flow.set(self)))
        return self

    def __exit__(self, *exception: object) -> None:
        """End the block."""
        inner, collections, token = self._blocks.pop()
        active_flow.reset(token)
        collections.__exit__(None, None, None)
        inner.__exit__(None, None, None)

    def add_task(self, task: Task) -> Task:
        """Add *task*, unless it is in the flow already, and return it.

        Raises TypeError for what is no task, DuplicateKeyError if another task has its slug.
        """
        if not isinstance(task, Task):
            message = f'Flow "{self.name}" takes tasks; found {task!r}'
            raise TypeError(message)
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
        return inner, (MAPPED if is_mapped else 0) | (FLATTENED if annotation.flattened else 0)

    def add_edge(
        self,
        upstream_task: Any,
        downstream_task: Task,
        key: str | None = None,
        *,
        mapped: bool = False,
        flattened: bool = False,
    ) -> Edge | None:
        """Let *downstream_task* wait for *upstream_task* and, with *key*, take its value.

        Returns the edge, or None if *upstream_task* is a value and not a task. Raises FlowError for an input of a
        parameter, DuplicateKeyError for a key that is bound already, TypeError for a key that `run` does not take.
        """
        if isinstance(downstream_task, Parameter):
            message = f"{downstream_task!r} takes no inputs; its value is given when the flow is run"
            raise errors.FlowError(message)
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
        downstream_tasks: Iterable[Task] | None = None,
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
        """Return the tasks that decide how a run ends; the terminal tasks unless others were set."""
        return set(self._reference_tasks) if self._reference_tasks else self.terminal_tasks()

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

    def __repr__(self) -> str:
        """Show name and size."""
        return f'<Flow: "{self.name}", {len(self)} tasks>'

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the definition, without what is derived from it or belongs to a `with` block."""
        return {**self.__dict__, "_plan": None, "_slugs": None, "_blocks": []}

    # using

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

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        executor: ExecutorChoice = None,
        context: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        run_name: str | None = None,
        attempt: int = 1,
        **more: Any,
    ) -> "State":
        """Run the flow now, in this process, and return its final state.

        The state's `result` maps every task to its state. Parameters may be given by name. *executor* goes over the
        flow's own; *context* adds to `penstock.context`. Raises ParameterError for parameters that do not fit,
        FlowError inside the flow's own block.
        """
        from penstock.context import context as surroundings
        from penstock.engine.runs import FlowRun

        if active_flow.get() is not None:
            message = f'Flow "{self.name}" cannot be run inside a `with Flow(...)` block; run it after the block'
            raise errors.FlowError(message)
        if surroundings.get("loading_flow") is not None:
            self._not_while_loading("run")
            return Pending("The flow's file was being loaded.")
        given = check_parameters(self, {**(parameters or {}), **more})
        self.validate()
        return run_flow(self, FlowRun(self.name, given, run_id, run_name, attempt), executor, context or {})

    def _not_while_loading(self, what: str) -> None:
        from penstock import logs

        logs.get_logger().debug("flow.%s() of %r is left out while its file is loaded", what, self.name)

    @property
    def storage(self) -> "Storage | None":
        """Where the flow's source is kept; assigning a storage, its type name or a URL attaches the flow to it."""
        return self._storage

    @storage.setter
    def storage(self, value: "Storage | str | Mapping[str, Any] | None") -> None:
        if self._storage is not None:
            self._storage.detach(self)
        self._storage = None
        if value is not None:
            from penstock.storage import Storage

            resolved: Storage = Storage.resolve(value)
            resolved.add_flow(self)
            self._storage = resolved

    def serialize(self, *, build: bool = False) -> "FlowSpec":
        """Return the flow's metadata; with *build* its source is stored first."""
        from penstock import registration

        return registration.serialize(self, build=build)

    def register(
        self,
        project_name: str,
        *,
        build: bool = True,
        labels: Iterable[str] | None = None,
        set_schedule_active: bool = True,
        idempotency_key: str | None = None,
        **storage_options: Any,
    ) -> str | None:
        """Validate the flow, store its source, send its metadata to the backend, and return the flow's id.

        A project that does not exist is created, unless a setting forbids it. *storage_options* go to the default
        storage if the flow has none. Returns None while the flow's file is being loaded.
        """
        from penstock import registration

        if context.get("loading_flow") is not None:
            self._not_while_loading("register")
            return None
        if active_flow.get() is not None:
            message = (
                f'Flow "{self.name}" cannot be registered inside a `with Flow(...)` block; register it after the block'
            )
            raise errors.FlowError(message)
        registered = registration.register(
            self,
            project_name,
            build=build,
            labels=labels,
            schedule_active=set_schedule_active,
            idempotency_key=idempotency_key,
            storage_options=storage_options,
        )
        return registered.id

    def visualize(
        self,
        flow_state: "State | None" = None,
        filename: str | Path | None = None,
        format: str | None = None,  # noqa: A002 - the term users know
        *,
        horizontal: bool = False,
    ) -> "Graph":
        """Return the flow's graph; with *filename* draw it there, as the ending or *format* says.

        With *flow_state* tasks have the colour of their state, and mapped tasks show each child.
        """
        from penstock import drawing

        graph = drawing.draw(self, flow_state, horizontal=horizontal)
        if filename is not None:
            path = Path(filename)
            graph.save(path if format is None or path.suffix else path.with_suffix(f".{format}"))
        return graph
