"""penstock: flows of tasks, on a small kernel and as many plugins as you like.

The public names are found when they are first used, so that `import penstock` costs next to nothing.
"""

import importlib
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, Final

from penstock.context import context, tags

if TYPE_CHECKING:
    from penstock import (  # noqa: I001 - a line for each would fill a page
        backends, cache_validators, errors, executors, results, run_configs, schedulers, schedules, serializers,
        signals, states, storage, testing, triggers,
    )  # fmt: skip
    from penstock.control_flow import case, ifelse, merge, switch
    from penstock.edges import flatten, mapped, unmapped
    from penstock.flow import Flow
    from penstock.hooks.markers import hookimpl, hookspec
    from penstock.mapped_functions import apply_map
    from penstock.parameters import Parameter
    from penstock.registration import get_backend
    from penstock.resources import resource_manager
    from penstock.secrets import Secret
    from penstock.tasks import Task, as_task, task

_HOMES: Final[dict[str, str]] = {
    "control_flow": "case ifelse merge switch", "edges": "flatten mapped unmapped", "flow": "Flow",
    "hooks.markers": "hookimpl hookspec", "mapped_functions": "apply_map", "parameters": "Parameter",
    "registration": "get_backend", "resources": "resource_manager", "secrets": "Secret", "tasks": "Task as_task task",
}  # fmt: skip
_NAMES: Final[dict[str, str]] = {name: f"penstock.{home}" for home, names in _HOMES.items() for name in names.split()}

__version__: Final = "0.1.0"
__all__ = [
    "Flow", "Parameter", "Secret", "Task", "apply_map", "as_task", "backends", "cache_validators", "case", "context",
    "errors", "executors", "flatten", "get_backend", "hookimpl", "hookspec", "ifelse", "mapped", "merge",
    "resource_manager", "results", "run_configs", "schedulers", "schedules", "serializers", "signals", "states",
    "storage", "switch", "tags", "task", "testing", "triggers", "unmapped",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what a public name stands for; `from penstock import ...` asks for each module first."""
    if name in _NAMES:
        return globals().setdefault(name, getattr(importlib.import_module(_NAMES[name]), name))
    if PathFinder.find_spec(f"penstock.{name}", __path__) is not None:
        return importlib.import_module(f"penstock.{name}")
    from penstock.hooks import lookup

    lookup.advise("penstock", name)
    raise AttributeError(f"module 'penstock' has no attribute {name!r}; it has {', '.join(__all__)}", name=name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*__all__, "__version__"})
