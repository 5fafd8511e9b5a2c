"""Schedules as people write them: `"0 6 * * 1-5 Europe/Paris"`, `"every 10 minutes"`."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from penstock import errors
from penstock.schedules import Schedule
from penstock_schedulers.cron import CronSchedule
from penstock_schedulers.interval import IntervalSchedule
from penstock_schedulers.recurrence import RRuleSchedule

FORMS: Final[Mapping[str, str]] = {
    '"0 6 * * 1-5"': "minute hour day-of-month month day-of-week, as crontab has them",
    '"@daily"': "or @hourly, @weekly, @monthly, @yearly",
    '"every 10 minutes"': "or seconds, hours, days, weeks; also every day, every 1 h 30 min",
    '"DTSTART:20260105T090000 RRULE:FREQ=WEEKLY"': "rules of a calendar (RFC 5545)",
}
"""The forms of text that are read, each with what it stands for. A time zone may follow each but the last."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_UNIT: Final = re.compile(
    r"(?:(\d+(?:\.\d+)?)\s*)?(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?)(?![a-z])"
)
_WEEKDAYS: Final = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)\b", re.IGNORECASE)
_ZONE: Final = re.compile(r"[a-z][\w+-]{2,}(/[\w+/-]+)?$", re.IGNORECASE)
_AREA: Final = re.compile(r"[a-z_]+/[a-z]", re.IGNORECASE)


def read(text: str, **options: Any) -> Schedule:
    """Return the schedule that *text* stands for, with *options*.

    Raises ScheduleError showing the forms, UnknownTypeError for a word that may be meant as a type.
    """
    words = text.split()
    if words and re.match(r"(DTSTART|RRULE|RDATE)\b", words[0], re.IGNORECASE):
        return RRuleSchedule("\n".join(words), **options)
    make = _form(words)
    if make is None:
        if len(words) == 1:  # it may be meant as a type
            raise errors.UnknownTypeError(
                f'No plugin offers a schedule "{text}". Text of a schedule is one of\n{_forms()}'
            )
        raise errors.ScheduleError(f"No schedule is written {text!r}; expected one of\n{_forms()}")
    zone = _zone(words)
    if zone is None:
        return make(" ".join(words), **options)
    if options.get("timezone", zone) != zone:
        message = f"The schedule {text!r} names the time zone {zone}, and {options['timezone']} was given; say one"
        raise errors.ScheduleError(message)
    return make(" ".join(words[:-1]), **{**options, "timezone": zone})


def _form(words: list[str]) -> Callable[..., Schedule] | None:
    """Return what makes a schedule of text like this, or None."""
    first = words[0].lower() if words else ""
    if first == "every":
        return _interval
    return CronSchedule if first.startswith("@") or re.match(r"[\d*]", first) else None


def _zone(words: list[str]) -> str | None:
    """Return the last of *words* if that is a time zone, or looks like one and like nothing else."""
    last = words[-1]
    if len(words) == 1 or not _ZONE.match(last) or _WEEKDAYS.match(last):
        return None
    if words[0].lower() == "every":
        return None if _UNIT.fullmatch(last.lower()) else last
    fields = 1 if words[0].startswith("@") else 5  # a name may be a field: JAN, or the day of the week
    return last if len(words) > fields or _AREA.match(last) or _is_zone(last) else None


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (LookupError, ValueError, OSError):
        return False


def _interval(text: str, **options: Any) -> Schedule:
    """Return a schedule of equal steps: `every 1 hour 30 minutes`."""
    given = text.lower().removeprefix("every").replace(",", " ").replace(" and ", " ").strip()
    parts = list(_UNIT.finditer(given))
    if not parts or _UNIT.sub("", given).strip():
        expected = 'expected a number and a unit, or several: "every 10 minutes", "every 1 h 30 min", "every day"'
        message = f"No interval is written {text!r}; {expected}"
        raise errors.ScheduleError(message)
    total = sum((_duration(part) for part in parts), timedelta(0))
    return IntervalSchedule(interval=total, **options)


def _duration(part: re.Match[str]) -> timedelta:
    with errors.told_as(errors.ScheduleError, f"The interval {part[0]!r} is too long", OverflowError):
        return timedelta(**{_UNITS[part[2][0]]: float(part[1] or 1)})


def _forms() -> str:
    width = max(map(len, FORMS))
    lines = [f"  {form:<{width}}  {meaning}" for form, meaning in FORMS.items()]
    return "\n".join([*lines, 'A time zone may follow: "@daily Europe/Paris"'])
