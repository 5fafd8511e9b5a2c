"""Ready-made tasks, and what helps to write one's own."""

import importlib
from typing import TYPE_CHECKING, Any, Final

from penstock_tasks.bodies import defaults_from_attrs, pause_task
from penstock_tasks.filters import FilterTask
from penstock_tasks.parameters import DateTimeParameter
from penstock_tasks.parts import GetAttr, GetItem

if TYPE_CHECKING:
    from penstock_tasks.artifacts import (
        create_image_artifact,
        create_link_artifact,
        create_markdown_artifact,
        create_progress_artifact,
        create_table_artifact,
        delete_artifact,
        update_link_artifact,
        update_markdown_artifact,
        update_progress_artifact,
    )
    from penstock_tasks.flow_runs import create_flow_run, get_task_run_result, wait_for_flow_run
    from penstock_tasks.key_values import delete_key, get_key_value, list_keys, set_key_value

__all__ = [
    "DateTimeParameter", "FilterTask", "GetAttr", "GetItem", "create_flow_run", "create_image_artifact",
    "create_link_artifact", "create_markdown_artifact", "create_progress_artifact", "create_table_artifact",
    "defaults_from_attrs", "delete_artifact", "delete_key", "get_key_value", "get_task_run_result", "list_keys",
    "pause_task", "set_key_value", "update_link_artifact", "update_markdown_artifact", "update_progress_artifact",
    "wait_for_flow_run",
]  # fmt: skip

_ASK_A_BACKEND: Final = ("artifacts", "flow_runs", "key_values")


def __getattr__(name: str) -> Any:
    """Import what asks a backend when it is asked for: loading the plugin stays light."""
    if name in __all__:
        for module in _ASK_A_BACKEND:
            found = getattr(importlib.import_module(f"penstock_tasks.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
