"""When a flow is due; `from penstock.schedules import CronSchedule` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.schedules import adjustments, clocks, filters
from penstock.schedules.base import ClockEvent, Schedule

if TYPE_CHECKING:
    from penstock_schedulers import ClockSchedule as ClockSchedule
    from penstock_schedulers import CronSchedule as CronSchedule
    from penstock_schedulers import DatesSchedule as DatesSchedule
    from penstock_schedulers import IntervalSchedule as IntervalSchedule
    from penstock_schedulers import RRuleSchedule as RRuleSchedule
else:
    __getattr__, __dir__ = lookup.attach(__name__, "schedule")

__all__ = ["ClockEvent", "Schedule", "adjustments", "clocks", "filters"]
