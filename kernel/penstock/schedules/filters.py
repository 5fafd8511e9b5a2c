"""Conditions on the times of a schedule; `filters.is_weekday` finds the plugin's."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup

if TYPE_CHECKING:
    from penstock_schedulers.filters import *  # noqa: F403 - all of its names
else:
    __getattr__, __dir__ = lookup.borrow(__name__, "schedule", "ClockSchedule")
