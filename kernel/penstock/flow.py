"""Flow: a graph of tasks that can be built, validated, run, registered and drawn."""

import copy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from penstock import errors
from penstock.context import Frame, active_flow, context, current, enter, leave, within_blocks
from penstock.edges import Edge
from penstock.engine.collecting import rare_collections
from penstock.flow_graph import FlowGraph
from penstock.parameters import Parameter
from penstock.states import Pending
from penstock.tasks import Task
from penstock.tasks.options import OnFailure, checked_handlers

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.executors import Executor
    from penstock.results import Result
    from penstock.run_configs import RunConfig
    from penstock.running import ExecutorChoice, TerminalStateHandler
    from penstock.schedules import Schedule
    from penstock.spec import FlowSpec
    from penstock.states import State
    from penstock.storage import Storage
    from penstock_viz import Graph


_CLASSIC: Final = {
    "return_tasks": "the state that is returned maps every task to its state",
    "runner_cls": "there is one engine; take part in its runs with a plugin that implements hooks",
    "task_runner_state_handlers": "give each task its state_handlers, or observe all with a plugin's hook",
}
"""What runs of the classic model took, and what to do instead."""


class Flow(FlowGraph):
    """A graph of tasks.

    Build it by calling tasks inside its `with` block, or with `add_task`, `add_edge` and `set_dependencies`. Tasks are
    kept in the order in which they were added; edges are derived from what tasks are bound to.
    """

    def __init__(
        self, name: str, schedule: "Schedule | str | Mapping[str, Any] | None" = None,
        executor: "Executor | str | Mapping[str, Any] | None" = None,
        run_config: "RunConfig | str | Mapping[str, Any] | None" = None,
        storage: "Storage | str | Mapping[str, Any] | None" = None, tasks: Iterable[Task] | None = None,
        edges: Iterable[Edge] | None = None, reference_tasks: Iterable[Task] | None = None,
        state_handlers: "Sequence[Callable[[Flow, State, State], State | None]] | None" = None,
        on_failure: "Callable[[Flow, State], None] | None" = None, validate: bool | None = None,
        result: "Result | str | Mapping[str, Any] | None" = None,
        terminal_state_handler: "TerminalStateHandler | None" = None,
    ) -> None:  # fmt: skip
        """Make a flow; raises FlowError without a name.

        *executor*, *run_config*, *storage* and *result* are objects, type names (`"threads"`) or tables of a type and
        options; so is *schedule*, or text such as `"every 10 minutes"`.
        *terminal_state_handler* is called with the flow, the state its run is to end in and the states of its
        reference tasks, and may return another. *validate* validates at once what *tasks* and *edges* give.
        """
        if not name or not isinstance(name, str):
            raise errors.FlowError(f"A flow needs a name, Flow('my-flow'); found {name!r}")
        super().__init__(name)
        self.module: str | None = sys._getframe(1).f_globals.get("__name__")  # noqa: SLF001 - names the script it is in
        self.schedule = schedule
        self.executor: Executor | str | Mapping[str, Any] | None = executor
        self.run_config: RunConfig | str | Mapping[str, Any] | None = run_config
        self.result: Result | str | Mapping[str, Any] | None = result
        handlers = checked_handlers(f'state_handlers of flow "{name}"', state_handlers or ())
        self.state_handlers: list[Callable[[Flow, State, State], State | None]] = list(handlers)
        if on_failure is not None:
            self.state_handlers.append(OnFailure(on_failure))
        self.terminal_state_handler: TerminalStateHandler | None = terminal_state_handler
        self._storage: Storage | None = None
        self._blocks: list[AbstractContextManager[None]] = []
        self.storage = storage
        for task in tasks or ():
            self.add_task(task)
        for edge in edges or ():
            one, two, key = edge.upstream_task, edge.downstream_task, edge.key
            self.add_edge(one, two, key, mapped=edge.mapped, flattened=edge.flattened)
        if reference_tasks is not None:
            self.set_reference_tasks(reference_tasks)
        if validate:
            self.validate()
        self._tell_loader()

    def _tell_loader(self) -> None:
        loading = context.get("loading_flow")
        if isinstance(loading, list):
            loading.append(self)

    def copy(self) -> Self:
        """Return a copy that has the same tasks and can be changed without changing this flow.

        Both have the same storage, schedule and other parts; the storage stores this flow, and a copy that is
        assigned to it.
        """
        new = copy.copy(self)
        vars(new).update({name: copy.copy(vars(self)[name]) for name in ("_bindings", "_by_slug", "state_handlers")})
        new._tell_loader()  # noqa: SLF001 - of this class
        return new

    # building

    def __enter__(self) -> Self:
        """Let tasks that are called inside the block join this flow."""
        within_blocks(self)
        block = self._block()
        block.__enter__()
        self._blocks.append(block)
        self._made.append([])
        return self

    def __exit__(self, *exception: object) -> None:
        """End the block, and warn of tasks that were made in it and left out."""
        self._blocks.pop().__exit__(None, None, None)
        made = self._made.pop()
        if exception[0] is None:
            self._warn_of_unused(made)

    @contextmanager
    def _block(self) -> Iterator[None]:
        outside, surroundings, tags = active_flow.set(self), enter(Frame({"flow": self}, current())), self._tags
        self._tags = frozenset(context.get("tags", ()))
        with rare_collections():
            yield
        self._tags = tags
        leave(surroundings)
        active_flow.reset(outside)

    def __repr__(self) -> str:
        """Show name and size."""
        return f'<Flow: "{self.name}", {len(self._bindings)} tasks>'

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the definition, without what is derived from it or belongs to a `with` block."""
        return {**self.__dict__, "_plan": None, "_slugs": None, "_index": None, "_blocks": [], "_made": []}

    # using

    def run(
        self, parameters: Mapping[str, Any] | None = None, *, executor: "ExecutorChoice" = None,
        context: Mapping[str, Any] | None = None, state: "State | None" = None,
        task_states: "Mapping[Task, State] | None" = None,
        task_contexts: Mapping[Task, Mapping[str, Any]] | None = None, keep_values: bool = True,
        run_id: str | None = None, run_name: str | None = None, attempt: int = 1,
        run_on_schedule: bool | None = None, progress: bool = False, **more: Any,
    ) -> "State":  # fmt: skip
        """Run the flow now, in this process, and return its final state.

        The state's `result` maps every task to its state. Parameters may be given by name. *executor* goes over the
        flow's own; *context* adds to `penstock.context`, *task_contexts* to that of single tasks. A run can go on
        from an earlier one: from the flow's *state*, and from *task_states*, in which finished tasks are not run
        again. With `keep_values=False` the value of a task is let go once all tasks that take it have ended. With
        *run_on_schedule*, by default as the settings say, a flow that has a schedule runs at each of its times until
        none is left. With *progress* a plugin shows how the run goes. Raises ParameterError for parameters that do
        not fit, FlowError inside the flow's own block, ScheduleError where no time is left, PluginMissingError where
        `penstock-schedulers` or `penstock-cli`, which run on schedule and show progress, are not installed.
        """
        from penstock import running, settings
        from penstock.engine.runs import FlowRun
        from penstock.hooks import calls

        if self._is_loaded("run"):
            return Pending("The flow's file was being loaded.")
        self._refuse_classic(more)
        if not isinstance(parameters or {}, Mapping):
            raise errors.ParameterError(f'Flow "{self.name}" takes parameters by name; found {parameters!r}')
        if run_on_schedule is None:
            run_on_schedule = self.schedule is not None and settings.get().flows.run_on_schedule
        if run_on_schedule and self.schedule is not None:
            from penstock.schedulers import LocalScheduler

            asked: dict[str, Any] = {"executor": executor, "context": context, "run_name": run_name}
            return LocalScheduler().run_flow(self, {**(parameters or {}), **more}, progress=progress, **asked)
        given = running.check_parameters(self, {**(parameters or {}), **more})
        self.validate()
        run = FlowRun(self.name, given, run_id or "", run_name or "", attempt)
        with calls.show_progress(self) if progress else nullcontext():
            return running.run_flow(
                self, run, executor, context, state, task_states, task_contexts, keep_values=keep_values
            )

    def _refuse_classic(self, given: Mapping[str, Any]) -> None:
        for name in _CLASSIC.keys() & given.keys():
            if not self.get_tasks(name, task_type=Parameter):
                raise errors.ParameterError(f'Flow "{self.name}" cannot be run with {name}=...: {_CLASSIC[name]}')

    def _is_loaded(self, call: str) -> bool:
        """Return whether the flow's file is being loaded, so that *call* is left out; raises FlowError in a block."""
        if active_flow.get() is not None:
            message = f'Flow "{self.name}" cannot {call} inside a `with Flow(...)` block; {call} it after the block'
            raise errors.FlowError(message)
        loading = context.get("loading_flow") is not None
        if loading:
            from penstock import logs

            logs.get_logger().debug("flow.%s() of %r is left out while its file is loaded", call, self.name)
        return loading

    @property
    def schedule(self) -> "Schedule | None":
        """When the flow is due; a schedule, or text that stands for one, can be assigned."""
        return self._schedule

    @schedule.setter
    def schedule(self, value: "Schedule | str | Mapping[str, Any] | None") -> None:
        if value is not None:
            from penstock import schedules

            value = schedules.Schedule.resolve(value)
        self._schedule: Schedule | None = value

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

    def serialized_hash(self, *, build: bool = False) -> str:
        """Return the SHA-256 of the flow's metadata, equal for equal metadata; with *build* its source is stored first.

        A change of a task's code alone is no change of the metadata.
        """
        return self.serialize(build=build).digest()

    def save(self, fpath: str | Path | None = None) -> Path:
        """Write the flow, its code included, to a file that `Flow.load` reads, and return the path.

        By default that is a file named after the flow in penstock's home folder. Needs the plugin penstock-fsspec.
        """
        from penstock.storage import Local

        return Local.save(self, fpath)

    @staticmethod
    def load(fpath: str | Path) -> "Flow":
        """Return the flow that `save` wrote, by the flow's name or by path. Only load files that you trust."""
        from penstock.storage import Local

        return Local.load_saved(fpath)

    def diagnostics(self, *, include_secret_names: bool = False) -> str:
        """Return what to send along with a question, as JSON: versions, and what is set, by name and never by value."""
        from penstock.hooks import calls

        return calls.diagnose(self, include_secret_names=include_secret_names)

    def register(
        self, project_name: str, *, build: bool = True, labels: Iterable[str] | None = None,
        set_schedule_active: bool = True, idempotency_key: str | None = None, **storage_options: Any,
    ) -> str | None:  # fmt: skip
        """Validate the flow, store its source, send its metadata to the backend, and return the flow's id.

        A project that does not exist is created, unless a setting forbids it. *storage_options* go over those of
        the flow's storage, or of the default one if it has none. Returns None while the flow's file is being loaded.
        """
        from penstock import registration

        if self._is_loaded("register"):
            return None
        return registration.register(
            self, project_name, labels or (), idempotency_key, storage_options, build=build, active=set_schedule_active
        ).id

    def _repr_html_(self) -> str | None:
        from penstock.hooks import calls

        return calls.render_html(self)

    def visualize(
        self, flow_state: "State | None" = None, filename: str | Path | None = None,
        format: str | None = None,  # noqa: A002 - the term users know
        *, horizontal: bool = False,
    ) -> "Graph":  # fmt: skip
        """Return the flow's graph; with *filename* draw it there, as the ending or *format* says.

        With *flow_state* tasks have the colour of their state, and mapped tasks say how many children they had.
        """
        from penstock.hooks import calls

        graph = calls.draw_flow(self, flow_state, horizontal=horizontal)
        if filename is not None:
            graph.save(filename, format)
        return graph
