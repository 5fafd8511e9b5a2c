"""What this plugin offers: schedules, and the loops that act on them."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_schedule() -> Mapping[str, str]:
    """Offer schedules of equal steps and of cron expressions."""
    return {
        "interval": "penstock_schedulers.interval:IntervalSchedule",
        "cron": "penstock_schedulers.cron:CronSchedule",
    }


@hookimpl
def penstock_register_scheduler() -> Mapping[str, str]:
    """Offer a scheduler that runs flows here, and one that makes runs in the backend."""
    return {
        "local": "penstock_schedulers.local:LocalScheduler",
        "backend": "penstock_schedulers.backend:BackendScheduler",
    }
