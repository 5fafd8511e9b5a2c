"""Ready-made tasks, and what helps to write one's own."""

import importlib
from typing import TYPE_CHECKING, Any

from penstock_tasks.bodies import defaults_from_attrs, pause_task
from penstock_tasks.filters import FilterTask
from penstock_tasks.parameters import DateTimeParameter
from penstock_tasks.parts import GetAttr, GetItem

if TYPE_CHECKING:
    from penstock_tasks.flow_runs import create_flow_run, get_task_run_result, wait_for_flow_run

__all__ = [
    "DateTimeParameter", "FilterTask", "GetAttr", "GetItem", "create_flow_run", "defaults_from_attrs",
    "get_task_run_result", "pause_task", "wait_for_flow_run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what asks a backend when it is asked for: loading the plugin stays light."""
    if name in __all__:
        return getattr(importlib.import_module("penstock_tasks.flow_runs"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
