"""penstock: flows of tasks, on a small kernel and as many plugins as you like.

The public names are found when they are first used, so that `import penstock` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from penstock.context import context, tags

if TYPE_CHECKING:
    from penstock import (
        backends,
        errors,
        executors,
        results,
        run_configs,
        schedulers,
        schedules,
        serializers,
        signals,
        states,
        storage,
        testing,
        triggers,
    )
    from penstock.edges import flatten, mapped, unmapped
    from penstock.flow import Flow
    from penstock.hooks.markers import hookimpl, hookspec
    from penstock.parameters import Parameter
    from penstock.registration import get_backend
    from penstock.tasks import Task, task

_NAMES: Final[dict[str, str]] = {
    "Flow": "penstock.flow",
    "Parameter": "penstock.parameters",
    "Task": "penstock.tasks",
    "flatten": "penstock.edges",
    "get_backend": "penstock.registration",
    "hookimpl": "penstock.hooks.markers",
    "hookspec": "penstock.hooks.markers",
    "mapped": "penstock.edges",
    "task": "penstock.tasks",
    "unmapped": "penstock.edges",
}
_MODULES: Final = frozenset({
    "backends", "errors", "executors", "results", "run_configs", "schedulers", "schedules", "serializers",
    "signals", "states", "storage", "testing", "triggers",
})  # fmt: skip

__version__: Final = "0.1.0"
__all__ = [
    "Flow", "Parameter", "Task", "backends", "context", "errors", "executors", "flatten", "get_backend",
    "hookimpl", "hookspec", "mapped", "results", "run_configs", "schedulers", "schedules", "serializers",
    "signals", "states", "storage", "tags", "task", "testing", "triggers", "unmapped",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what a public name stands for."""
    if name in _NAMES:
        value = globals()[name] = getattr(importlib.import_module(_NAMES[name]), name)
        return value
    if name in _MODULES:
        return importlib.import_module(f"penstock.{name}")
    message = f"module 'penstock' has no attribute {name!r}; it has {', '.join(__all__)}"
    raise AttributeError(message, name=name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*__all__, "__version__"})
