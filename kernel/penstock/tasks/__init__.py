"""Tasks: the nodes of a flow."""

from penstock.tasks.base import FunctionTask, Task, task
from penstock.tasks.collections import Constant, Gather, as_task
from penstock.tasks.operations import GetItem
from penstock.tasks.options import TaskOptions

__all__ = ["Constant", "FunctionTask", "Gather", "GetItem", "Task", "TaskOptions", "as_task", "task"]
