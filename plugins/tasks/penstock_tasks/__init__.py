"""Ready-made tasks, and what helps to write one's own."""

from penstock_tasks.bodies import defaults_from_attrs, pause_task
from penstock_tasks.filters import FilterTask
from penstock_tasks.parameters import DateTimeParameter
from penstock_tasks.parts import GetAttr, GetItem

__all__ = ["DateTimeParameter", "FilterTask", "GetAttr", "GetItem", "defaults_from_attrs", "pause_task"]
