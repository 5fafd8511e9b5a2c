"""When a flow is due; `from penstock.schedules import CronSchedule` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.schedules.base import ClockEvent, Schedule

if TYPE_CHECKING:
    from penstock_schedulers import CronSchedule as CronSchedule
    from penstock_schedulers import IntervalSchedule as IntervalSchedule
else:
    __getattr__, __dir__ = lookup.attach(__name__, "schedule")

__all__ = ["ClockEvent", "Schedule"]
