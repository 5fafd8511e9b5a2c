"""What this plugin offers: schedules, and the loops that act on them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from penstock import hookimpl

if TYPE_CHECKING:
    import pluggy


@hookimpl
def penstock_add_hookspecs(manager: "pluggy.PluginManager") -> None:
    """Let other plugins register filters and adjustments."""
    from penstock_schedulers import hookspecs

    manager.add_hookspecs(hookspecs)


@hookimpl
def penstock_register_schedule() -> Mapping[str, str]:
    """Offer schedules of one rule each, and the one that is made of others."""
    return {
        "interval": "penstock_schedulers.interval:IntervalSchedule",
        "cron": "penstock_schedulers.cron:CronSchedule",
        "dates": "penstock_schedulers.dates:DatesSchedule",
        "rrule": "penstock_schedulers.recurrence:RRuleSchedule",
        "clocks": "penstock_schedulers.clock_schedule:ClockSchedule",
    }


@hookimpl
def penstock_register_scheduler() -> Mapping[str, str]:
    """Offer a scheduler that runs flows here, and one that makes runs in the backend."""
    return {
        "local": "penstock_schedulers.local:LocalScheduler",
        "backend": "penstock_schedulers.backend:BackendScheduler",
    }


@hookimpl
def penstock_register_schedule_filters() -> Mapping[str, str]:
    """Register the filters of Prefect 1, and those that know holidays."""
    return _functions(
        "filters",
        "at_time between_dates between_datetimes between_times is_day_of_week is_holiday is_month_end is_month_start "
        "is_weekday is_weekend is_workday on_date on_datetime",
    )


@hookimpl
def penstock_register_schedule_adjustments() -> Mapping[str, str]:
    """Register the adjustments of Prefect 1, and one that knows holidays."""
    return _functions("adjustments", "add next_weekday next_workday")


def _functions(module: str, names: str) -> dict[str, str]:
    return {name: f"penstock_schedulers.{module}:{name}" for name in names.split()}
