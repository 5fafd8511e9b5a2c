"""Clocks, under the names that Prefect 1 has for them: a clock is a schedule, so that one class is both."""

from penstock.schedules import ClockEvent
from penstock_schedulers.cron import CronSchedule as CronClock
from penstock_schedulers.dates import DatesSchedule as DatesClock
from penstock_schedulers.interval import IntervalSchedule as IntervalClock
from penstock_schedulers.recurrence import RRuleSchedule as RRuleClock

__all__ = ["ClockEvent", "CronClock", "DatesClock", "IntervalClock", "RRuleClock"]
