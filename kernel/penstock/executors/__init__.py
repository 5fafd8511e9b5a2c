"""What runs the tasks of a flow run; `from penstock.executors import ThreadExecutor` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.executors.base import Executor
from penstock.hooks import lookup

if TYPE_CHECKING:
    from penstock.executors.in_process import InProcessExecutor as InProcessExecutor
    from penstock_executors import *  # noqa: F403 - all of its names
else:
    __getattr__, __dir__ = lookup.attach(__name__, "executor")

__all__ = ["Executor"]
