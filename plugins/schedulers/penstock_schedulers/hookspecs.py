"""The hooks that this plugin adds for others: further filters and adjustments of schedules."""

from collections.abc import Callable, Mapping
from typing import Any

from penstock import hookspec


@hookspec
def penstock_register_schedule_filters() -> Mapping[str, Callable[..., Any] | str]:  # type: ignore[empty-body]
    """Register filters by name: functions of a moment, which say whether it may be due.

    One that needs further arguments is made with `penstock_schedulers.Rule`. A string `"module:function"` is imported
    on first use.
    """


@hookspec
def penstock_register_schedule_adjustments() -> Mapping[str, Callable[..., Any] | str]:  # type: ignore[empty-body]
    """Register adjustments by name: functions of a moment, which return the moment that is due in its place."""
