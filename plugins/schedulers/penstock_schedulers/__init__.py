"""Schedules, and the schedulers that act on them.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_schedulers.backend import BackendScheduler
    from penstock_schedulers.cron import CronSchedule
    from penstock_schedulers.interval import IntervalSchedule
    from penstock_schedulers.local import LocalScheduler

__all__ = ["BackendScheduler", "CronSchedule", "IntervalSchedule", "LocalScheduler"]

_MODULES: Final = {
    "BackendScheduler": "backend",
    "CronSchedule": "cron",
    "IntervalSchedule": "interval",
    "LocalScheduler": "local",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
