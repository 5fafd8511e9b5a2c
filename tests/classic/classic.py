"""What a flow of these tests imports: the names of Prefect 1 or penstock's, whichever this interpreter has.

Beside them `scenario`, which marks a function that builds flows, and what such a function may use: `run` runs a flow
and takes down how everything ended, `note` takes down a value of the scenario's own.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Final

from outcomes import Outcome, family

FRAMEWORK: Final = "penstock" if importlib.util.find_spec("penstock") else "prefect"

_TOP: Final = ("penstock", "prefect")
_CONTROL: Final = ("penstock", "prefect.tasks.control_flow")
_MODULES: Final = {
    "adjustments": ("penstock.schedules.adjustments", "prefect.schedules.adjustments"),
    "cache_validators": ("penstock.cache_validators", "prefect.engine.cache_validators"),
    "clocks": ("penstock.schedules.clocks", "prefect.schedules.clocks"),
    "filters": ("penstock.schedules.filters", "prefect.schedules.filters"),
    "results": ("penstock.results", "prefect.engine.results"),
    "schedules": ("penstock.schedules", "prefect.schedules"),
    "signals": ("penstock.signals", "prefect.engine.signals"),
    "state": ("penstock.states", "prefect.engine.state"),
    "triggers": ("penstock.triggers", "prefect.triggers"),
}
_HOMES: Final = {
    "Edge": ("penstock.edges", "prefect.core.edge"),
    "FilterTask": ("penstock_tasks", "prefect.tasks.control_flow.filter"),
    "GetAttr": ("penstock_tasks", "prefect.tasks.core.operators"),
    "ifelse": _CONTROL,
    "merge": _CONTROL,
    "switch": _CONTROL,
    "pause_task": ("penstock_tasks", "prefect.utilities.tasks"),
}

scenarios: Final[dict[str, Callable[[], Any]]] = {}
"""The functions marked with `scenario`, by file and name."""
_outcome: Outcome = Outcome()


def __getattr__(name: str) -> Any:
    """Find a name of the framework's where this framework keeps it."""
    own, theirs = _MODULES.get(name) or _HOMES.get(name, _TOP)
    module = importlib.import_module(own if FRAMEWORK == "penstock" else theirs)
    return module if name in _MODULES else getattr(module, name)


def scenario(build: Callable[[], Any]) -> Callable[[], Any]:
    """Mark a function that returns a flow, which is run once, or that calls `run` itself."""
    scenarios[f"{build.__module__.rpartition('.')[2]}.{build.__name__}"] = build
    return build


def run(flow: Any, **how: Any) -> Any:
    """Run *flow*, take down how its tasks ended, and return its final state."""
    state = flow.run(**how)
    _outcome.take_down(flow, state)
    return state


def note(value: Any) -> None:
    """Take down *value*."""
    _outcome.note(value)


def in_any_order() -> None:
    """Say that the notes of this scenario come from tasks that do not wait for one another."""
    _outcome.in_any_order = True


def refused(call: Callable[[], Any]) -> None:
    """Take down what *call* raises, or that it raises nothing."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - what it raises is the outcome
        note(f"raises {family(error)}")
    else:
        note("raises nothing")


def play(name: str) -> dict[str, Any]:
    """Return the outcome of a scenario; an exception that gets out of it is one too."""
    global _outcome  # noqa: PLW0603 - one scenario is played at a time
    _outcome = Outcome()
    try:
        flow = scenarios[name]()
        if flow is not None:
            run(flow)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - what it raises is the outcome
        _outcome.raised = family(error)
        _outcome.trace = error
    return _outcome.as_json()
