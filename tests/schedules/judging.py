"""What a schedule says it is due, beside what the minutes that pass say."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from penstock.schedules import CronSchedule, Schedule
from tests.schedules import oracle

Make: TypeAlias = Callable[..., Schedule]
"""Takes an expression, and by name `timezone`, `gap` and `fold`."""
MANY = 10**7
AROUND = timedelta(days=2)
POLICIES = [(gap, fold) for gap in ("after", "shift", "skip") for fold in ("first", "second", "both")]


def faults(
    zone: str,
    crons: Sequence[str],
    begin: datetime,
    end: datetime,
    policy: tuple[str, str] = POLICIES[0],
    make: Make = CronSchedule,
    expected: Sequence[Sequence[datetime]] | None = None,
) -> Iterator[str]:
    """Yield what is wrong with schedules of *crons* after *begin* and before *end*, where no clocks may change.

    *expected* is what the oracle said of a zone with the same clocks, if it was asked before.
    """
    if expected is None:
        expected = oracle.due([oracle.read(cron) for cron in crons], ZoneInfo(zone), begin, end, *policy)
    gap, fold = policy
    for cron, times in zip(crons, expected, strict=True):
        wanted = [time for time in times if time > begin]
        schedule = make(cron, timezone=zone, gap=gap, fold=fold, end_date=end)
        found = [time for time in schedule.next(MANY, begin) if time < end]
        if found != wanted:
            yield f"{cron!r} in {zone}, gap {gap}, fold {fold}: {_difference(found, wanted)}"


def around_changes(zone: str, crons: Sequence[str], make: Make = CronSchedule) -> Iterator[str]:
    """Yield what is wrong around each change of clocks, with every policy but the default one."""
    for day in oracle.changes(ZoneInfo(zone)):
        for policy in POLICIES[1:]:
            yield from faults(zone, crons, day - AROUND, day + AROUND, policy, make)


def _difference(found: Sequence[datetime], wanted: Sequence[datetime]) -> str:
    lacking, surplus = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    told = [
        f"{len(times)} {what}, such as {times[0]}"
        for what, times in (("lacking", lacking), ("too many", surplus))
        if times
    ]
    return "; ".join(told) or "the order, or a repetition"
