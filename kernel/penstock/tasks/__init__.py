"""Tasks: the nodes of a flow."""

from penstock.tasks.base import FunctionTask, Task, task
from penstock.tasks.bodies import defaults_from_attrs, pause_task
from penstock.tasks.collections import Constant, Gather, as_task
from penstock.tasks.filters import FilterTask
from penstock.tasks.operations import GetAttr, GetItem
from penstock.tasks.options import TaskOptions

__all__ = [
    "Constant", "FilterTask", "FunctionTask", "Gather", "GetAttr", "GetItem", "Task", "TaskOptions", "as_task",
    "defaults_from_attrs", "pause_task", "task",
]  # fmt: skip
