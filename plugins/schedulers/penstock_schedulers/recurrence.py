"""A schedule of recurrence rules, as calendars have them (RFC 5545)."""
# ruff: noqa: SLF001 - python-dateutil tells by no public name what its rules are made of

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final
from zoneinfo import ZoneInfo

from dateutil import rrule
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from penstock_schedulers.zoned import WallSchedule, zone_name

_PERIODS: Final = {
    rrule.WEEKLY: timedelta(weeks=1),
    rrule.DAILY: timedelta(days=1),
    rrule.HOURLY: timedelta(hours=1),
    rrule.MINUTELY: timedelta(minutes=1),
    rrule.SECONDLY: timedelta(seconds=1),
}
_CYCLE_DAYS: Final = 146_097
"""After so many days, 400 years, the calendar repeats itself."""
_LONGEST_CHANGE: Final = timedelta(hours=26)  # no clock was ever put forward or back by more than a day


class RRuleSchedule(WallSchedule):
    """Due by the rules of a calendar: `RRuleSchedule("DTSTART:20260105T090000 RRULE:FREQ=WEEKLY;BYDAY=MO,TH")`.

    A `rrule` or `rruleset` of python-dateutil is taken as such text. Rules are followed by the clocks on the wall, in
    the zone of `DTSTART` unless `timezone` is given; what a change of clocks skips or repeats is due once, unless `gap`
    or `fold` say otherwise.
    """

    type: ClassVar[str] = "rrule"
    positional: ClassVar[tuple[str, ...]] = ("rrule_obj", "start_date", "end_date", "parameter_defaults", "labels")

    rrule_obj: str = Field(description="DTSTART and RRULE, RDATE, EXRULE, EXDATE, apart by space or a line each")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            rrule_obj: rrule.rrulebase | str,
            start_date: datetime | None = None,
            end_date: datetime | None = None,
            parameter_defaults: dict[str, Any] | None = ...,
            labels: list[str] | None = None,
            **options: Any,
        ) -> None: ...

    def walls(self, after: datetime) -> Iterator[datetime]:
        """Yield what the rules name, from a day before *after*."""
        earliest = after.astimezone(self.zone()).replace(tzinfo=None) - _LONGEST_CHANGE
        rules = _combined(_read(self.rrule_obj), lambda rule: _forwarded(rule, earliest))
        found: Iterator[datetime] = rules.xafter(earliest)
        return found

    @classmethod
    def first_date(cls, options: dict[str, Any]) -> Any:
        """Return the first date of the rules, or the start if that has no zone."""
        try:
            dates = _dates(_read(options.get("rrule_obj")))
        except PydanticCustomError:  # said of the option itself
            return None
        zone = next((date.tzinfo for date in dates), None)
        if zone is not None and zone_name(zone) is None:
            message = f"the dates of its rules are in {zone!r}, whose name is unknown; use a zoneinfo.ZoneInfo"
            raise PydanticCustomError("time_zone", "{message}", {"message": message})
        return dates[0] if zone is not None else options.get("start_date")

    @field_validator("rrule_obj", mode="before")
    @classmethod
    def _as_text(cls, given: Any, others: ValidationInfo) -> str:
        zone = ZoneInfo(others.data.get("timezone", "UTC"))
        rules = _combined(_read(given), lambda rule: _on_the_wall(rule, zone), lambda date: _wall(date, zone))
        if len({rule._dtstart for rule in _rules(rules)}) > 1:
            raise _refused("its rules begin at different times, for which RFC 5545 has no form; merge several clocks")
        for rule in _rules(rules):
            _check_comes(rule)
        return "\n".join(_lines(rules))


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError("rrule", "{message}", {"message": message})


def _read(given: Any) -> rrule.rruleset:
    """Return the set of rules that *given* stands for; raises PydanticCustomError saying what is wrong with it."""
    if isinstance(given, str):
        try:
            read = rrule.rrulestr(given, forceset=True, tzids=ZoneInfo)
        except (ValueError, LookupError, TypeError) as error:
            raise _refused(f"it cannot be read ({error}); expected lines as RFC 5545 has them") from error
        if _rules(read) and "DTSTART" not in given.upper():
            raise _refused("it does not say when its rules begin; put a line before them: DTSTART:20260105T090000")
        return read
    found = rrule.rruleset()
    if type(given) is rrule.rrule:
        found.rrule(given)
    elif type(given) is rrule.rruleset:
        found = given
    if not _dates(found) or any(type(rule) is not rrule.rrule for rule in _rules(found)):
        kind = type(given).__name__
        raise _refused(f"a {kind} cannot be written as RFC 5545 has it; expected such text, a rrule or a rruleset")
    return found


class _Months(frozenset[int]):
    """Months that are asked for one day after the other, and end the search after a cycle of the calendar."""

    asked = 0

    def __contains__(self, month: object) -> bool:
        self.asked += 1
        if self.asked > _CYCLE_DAYS:
            raise _NeverError
        return super().__contains__(month)


class _NeverError(Exception):
    """No day of a cycle of the calendar fits."""


def _check_comes(rule: rrule.rrule) -> None:
    """Raise PydanticCustomError for a rule that would be looked through for ever, or to the end of time, in vain."""
    name = str(rule).partition("RRULE:")[2]
    if rule._interval < 1:
        raise _refused(f"the INTERVAL of {name} is {rule._interval}; expected 1 or more")
    endless = rule.replace(until=None)
    any_time = {"byhour": None, "byminute": None, "bysecond": None, "bysetpos": None}
    days_first = [endless.replace(**any_time)] if rule._freq > rrule.DAILY else []  # they are found sooner than times
    try:
        found = all(_comes(one) for one in (*days_first, endless))
    except (ValueError, LookupError) as error:
        raise _refused(f"{name} cannot be followed ({error}); expected what RFC 5545 has") from error
    if not found:
        raise _refused(f"{name} never comes; expected days and times that there are, and that its INTERVAL meets")


def _comes(rule: rrule.rrule) -> bool:
    """Return whether there is a first date; what asks for months or years in vain is soon at the end of time."""
    if rule._freq > rrule.MONTHLY:
        rule._bymonth = _Months(rule._bymonth or range(1, 13))
    try:
        return next(iter(rule), None) is not None
    except _NeverError:
        return False


def _rules(of: rrule.rruleset) -> list[rrule.rrule]:
    return [*of._rrule, *of._exrule]


def _dates(of: rrule.rruleset) -> list[datetime]:
    return [*(rule._dtstart for rule in _rules(of)), *of._rdate, *of._exdate]


def _combined(
    rules: rrule.rruleset,
    of_rule: Callable[[rrule.rrule], rrule.rrule],
    of_date: Callable[[datetime], datetime] = lambda date: date,
) -> rrule.rruleset:
    """Return a set of what the two functions make of the rules and of the dates in *rules*."""
    combined = rrule.rruleset()
    for rule in rules._rrule:
        combined.rrule(of_rule(rule))
    for rule in rules._exrule:
        combined.exrule(of_rule(rule))
    for date in rules._rdate:
        combined.rdate(of_date(date))
    for date in rules._exdate:
        combined.exdate(of_date(date))
    return combined


def _on_the_wall(rule: rrule.rrule, zone: ZoneInfo) -> rrule.rrule:
    until = rule._until and _wall(rule._until, zone)
    return rule.replace(dtstart=_wall(rule._dtstart, zone), until=until)


def _wall(date: datetime, zone: ZoneInfo) -> datetime:
    return date if date.tzinfo is None else date.astimezone(zone).replace(tzinfo=None)


def _forwarded(rule: rrule.rrule, wall: datetime) -> rrule.rrule:
    """Return *rule* from about *wall* on, by whole periods, so that years gone by are not gone through again."""
    period = _PERIODS.get(rule._freq)
    if rule._count is not None or period is None or rule._dtstart >= wall:
        return rule
    step = period * rule._interval
    return rule.replace(dtstart=rule._dtstart + (wall - rule._dtstart) // step * step)


def _lines(rules: rrule.rruleset) -> Iterator[str]:
    begin = next(iter(_rules(rules)), None)
    if begin is not None:
        yield str(begin).partition("\n")[0]
    for rule in rules._rrule:
        yield str(rule).partition("\n")[2]
    for rule in rules._exrule:
        yield str(rule).partition("\n")[2].replace("RRULE", "EXRULE", 1)
    for name, dates in (("RDATE", rules._rdate), ("EXDATE", rules._exdate)):
        if dates:
            yield f"{name}:{','.join(f'{date:%Y%m%dT%H%M%S}' for date in dates)}"
