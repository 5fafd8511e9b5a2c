"""Tasks: the nodes of a flow."""

from penstock.tasks.base import FunctionTask, Task, task
from penstock.tasks.collections import Gather
from penstock.tasks.options import TaskOptions

__all__ = ["FunctionTask", "Gather", "Task", "TaskOptions", "task"]
