"""Every hook of the kernel, in the order in which a flow meets them.

An implementation is a function of the hook's name, marked with `@penstock.hookimpl`, in the module that a
distribution names in its entry-point group `penstock`. It takes those of the arguments below that it wants.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.hooks.markers import hookspec

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pluggy

    from penstock.engine.runs import FlowRun, TaskRun
    from penstock.flow import Flow
    from penstock.spec import FlowSpec
    from penstock.states import State
    from penstock_viz import Graph

Offer: TypeAlias = "type[Any] | Iterable[type[Any]] | Mapping[str, type[Any] | str]"
"""One class, several, or type names with a class or the string `"module:Class"`, imported on first use."""


# Hooks of plugins


@hookspec(historic=True)
def penstock_add_hookspecs(manager: "pluggy.PluginManager") -> None:
    """Add hooks of your own, for other plugins to implement: `manager.add_hookspecs(module)`."""


# Offers: classes that users find by name


@hookspec
def penstock_register_storage() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.storage.Storage`: places that keep the source of flows."""


@hookspec
def penstock_register_result() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.results.Result`: places that keep what tasks return."""


@hookspec
def penstock_register_serializer() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.serializers.Serializer`: forms in which results are kept."""


@hookspec
def penstock_register_executor() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.executors.Executor`: what runs the tasks of a flow run."""


@hookspec
def penstock_register_schedule() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.schedules.Schedule`: when a flow is due."""


@hookspec
def penstock_register_scheduler() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.schedulers.Scheduler`: loops that act on schedules."""


@hookspec
def penstock_register_run_config() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.run_configs.RunConfig`: how a flow-run process comes to be."""


@hookspec
def penstock_register_backend() -> Offer:  # type: ignore[empty-body]
    """Offer subclasses of `penstock.backends.Backend`: who remembers flows and runs."""


# Logs


@hookspec
def penstock_log_processors() -> Iterable[Callable[..., Any]]:  # type: ignore[empty-body]
    """Return structlog processors, to be called with every log record after the kernel's own."""


# A flow is drawn, and registered


@hookspec(firstresult=True)
def penstock_draw_flow(flow: "Flow", flow_state: "State | None", horizontal: bool) -> "Graph | None":
    """Return the picture of *flow* for `flow.visualize()`, in the colours of its tasks' states in *flow_state*."""


@hookspec(firstresult=True)
def penstock_diagnose(flow: "Flow", include_secret_names: bool) -> str | None:
    """Return as JSON what to send along with a question about *flow*: versions, and names of what is set; no values."""


@hookspec(firstresult=True)
def penstock_render_html(subject: "State | Flow") -> str | None:
    """Return what a notebook shows of a state or of a flow, as HTML in which every text is escaped."""


@hookspec
def penstock_flow_registered(spec: "FlowSpec", project: str, version: int) -> None:
    """Be told that a flow was registered under *project* as *version*, which counts from 1."""


# A flow runs


@hookspec(firstresult=True)
def penstock_show_progress(flow: "Flow") -> "AbstractContextManager[None] | None":
    """Return a context in which a run of *flow* is shown while it runs; entered by `flow.run(progress=True)`.

    What there is to show is told to `observing` plugins: see the hooks about states. Nothing that cannot be shown
    may end the run.
    """


@hookspec(firstresult=True)
def penstock_propose_state(run: "FlowRun | TaskRun", old: "State", new: "State") -> "State | None":
    """Return another state instead of *new* before it is taken up, or None to let it be."""


@hookspec
def penstock_flow_run_state(run: "FlowRun", old: "State", new: "State") -> None:
    """Be told that a flow run went from *old* to *new*."""


@hookspec
def penstock_task_run_state(run: "TaskRun", old: "State", new: "State") -> None:
    """Be told that a task run went from *old* to *new*; called in the process that drives the flow run."""


@hookspec(firstresult=True)
def penstock_secret(name: str) -> str | None:
    """Return the value of the secret *name*, or None if you do not know it.

    Asked where a task or a storage needs it. Who is not known to any plugin is looked for in the environment, then
    in the folder `secrets` of penstock's home.
    """


@hookspec(firstresult=True)
def penstock_run_task(run: "TaskRun", inputs: Mapping[str, Any], body: Callable[[], Any]) -> Any:
    """Wrap a task's body, in the worker that runs it: implement with `@hookimpl(wrapper=True)`.

    The kernel's own implementation returns `body()`; what a wrapper returns becomes the task's result.
    """
