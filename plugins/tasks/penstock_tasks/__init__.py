"""Ready-made tasks, and what helps to write one's own."""

from penstock_tasks.bodies import defaults_from_attrs, pause_task
from penstock_tasks.filters import FilterTask
from penstock_tasks.flow_runs import create_flow_run, get_task_run_result, wait_for_flow_run
from penstock_tasks.parameters import DateTimeParameter
from penstock_tasks.parts import GetAttr, GetItem

__all__ = [
    "DateTimeParameter", "FilterTask", "GetAttr", "GetItem", "create_flow_run", "defaults_from_attrs",
    "get_task_run_result", "pause_task", "wait_for_flow_run",
]  # fmt: skip
