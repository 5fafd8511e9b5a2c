"""One typed function per hook that the kernel calls, so that a call site reads like any other call."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from penstock.hooks import lookup, manager

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from penstock.engine.runs import FlowRun, TaskRun
    from penstock.flow import Flow
    from penstock.spec import FlowSpec
    from penstock.states import State
    from penstock_viz import Graph

FlowObserver: TypeAlias = "Callable[[FlowRun, State, State], None]"
TaskObserver: TypeAlias = "Callable[[TaskRun, State, State], None]"
Proposer: TypeAlias = "Callable[[FlowRun | TaskRun, State, State], State | None]"
Wrapper: TypeAlias = "Callable[[TaskRun, Mapping[str, Any], Callable[[], Any]], Any]"


def log_processors() -> list[Callable[..., Any]]:
    """Return the plugins' structlog processors."""
    return [processor for answer in manager.registry().manager.hook.penstock_log_processors() for processor in answer]


def draw_flow(flow: "Flow", flow_state: "State | None", *, horizontal: bool) -> "Graph":
    """Return the first plugin's picture of *flow*; raises PluginMissingError saying what to install."""
    asked = {"flow": flow, "flow_state": flow_state, "horizontal": horizontal}
    return cast("Graph", _first("penstock_draw_flow", "Drawing a flow needs", "penstock-viz", **asked))


def render_html(subject: "State | Flow") -> str | None:
    """Return the first plugin's HTML for *subject*."""
    return cast("str | None", manager.registry().manager.hook.penstock_render_html(subject=subject))


def flow_registered(spec: "FlowSpec", project: str, version: int) -> None:
    """Tell every plugin that a flow was registered."""
    for tell in _observers("penstock_flow_registered", "spec", "project", "version"):
        tell(spec, project, version)


def diagnose(flow: "Flow", *, include_secret_names: bool) -> str:
    """Return the first plugin's diagnostics of *flow*; raises PluginMissingError saying what to install."""
    asked = {"flow": flow, "include_secret_names": include_secret_names}
    return str(_first("penstock_diagnose", "Diagnostics need", "penstock-cli", **asked))


def show_progress(flow: "Flow") -> "AbstractContextManager[None]":
    """Return the first plugin's view of a run of *flow*; raises PluginMissingError saying what to install."""
    view = _first("penstock_show_progress", "Showing the progress of a run needs", "penstock-cli", flow=flow)
    return cast("AbstractContextManager[None]", view)


def secret(name: str) -> str | None:
    """Return the first plugin's value of a secret, or None."""
    return cast("str | None", manager.registry().manager.hook.penstock_secret(name=name))


def flow_run_observers() -> "list[FlowObserver]":
    """Return the guarded functions to tell about flow run states."""
    return _observers("penstock_flow_run_state", "run", "old", "new")


def task_run_observers() -> "list[TaskObserver]":
    """Return the guarded functions to tell about task run states."""
    return _observers("penstock_task_run_state", "run", "old", "new")


def proposer() -> "Proposer | None":
    """Return the function that asks plugins for another state, or None if none wants to be asked."""
    caller = manager.registry().manager.hook.penstock_propose_state
    return (lambda run, old, new: caller(run=run, old=old, new=new)) if caller.get_hookimpls() else None


def task_wrapper() -> "Wrapper | None":
    """Return the function that runs a body inside the plugins' wrappers, or None if there are none."""
    caller = manager.registry().manager.hook.penstock_run_task
    if len(caller.get_hookimpls()) == 1:  # the kernel's own, which only calls the body
        return None
    return lambda run, inputs, body: caller(run=run, inputs=inputs, body=body)


def _first(hook: str, needs: str, distribution: str, **given: Any) -> Any:
    """Return the first plugin's answer; raises PluginMissingError saying that *needs* needs *distribution*."""
    answer = getattr(manager.registry().manager.hook, hook)(**given)
    if answer is None:
        raise lookup.missing(needs, distribution)
    return answer


def _observers(hook: str, *names: str) -> list[Callable[..., None]]:
    """Return a function of *names*, by position, for each implementation of *hook*, in pluggy's order."""
    implementations = getattr(manager.registry().manager.hook, hook).get_hookimpls()
    return [_guarded(known, names) for known in reversed(implementations)]


def _guarded(implementation: Any, names: tuple[str, ...]) -> Callable[..., None]:
    function = implementation.function
    wanted = [names.index(name) for name in implementation.argnames]
    if wanted != [0, 1, 2]:
        function = lambda *given: implementation.function(*[given[position] for position in wanted])  # noqa: E731

    def tell(one: Any, two: Any, three: Any) -> None:
        try:
            function(one, two, three)
        except Exception:  # an observer's own code: told, never asked
            log = logging.getLogger("penstock.plugins")
            log.exception("The observer of the plugin %s raised; the run goes on", implementation.plugin_name)

    return tell
