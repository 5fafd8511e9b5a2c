"""Loops that act on schedules; `from penstock.schedulers import LocalScheduler` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.schedulers.base import Scheduler

if TYPE_CHECKING:
    from penstock_schedulers import BackendScheduler as BackendScheduler
    from penstock_schedulers import LocalScheduler as LocalScheduler
else:
    __getattr__, __dir__ = lookup.attach(__name__, "scheduler")

__all__ = ["Scheduler"]
