"""Schedules, and the schedulers that act on them.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_schedulers.backend import BackendScheduler
    from penstock_schedulers.clock_schedule import ClockSchedule
    from penstock_schedulers.cron import CronSchedule
    from penstock_schedulers.dates import DatesSchedule
    from penstock_schedulers.interval import IntervalSchedule
    from penstock_schedulers.local import LocalScheduler
    from penstock_schedulers.recurrence import RRuleSchedule
    from penstock_schedulers.rules import Rule

__all__ = [
    "BackendScheduler", "ClockSchedule", "CronSchedule", "DatesSchedule", "IntervalSchedule", "LocalScheduler",
    "RRuleSchedule", "Rule",
]  # fmt: skip

_MODULES: Final = {
    "BackendScheduler": "backend",
    "ClockSchedule": "clock_schedule",
    "CronSchedule": "cron",
    "DatesSchedule": "dates",
    "IntervalSchedule": "interval",
    "LocalScheduler": "local",
    "RRuleSchedule": "recurrence",
    "Rule": "rules",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
