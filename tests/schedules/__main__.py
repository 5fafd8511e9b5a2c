"""Compare schedules with what is seen by looking at every minute of three years, in every zone there is.

`python -m tests.schedules` judges crons in all zones, which takes about an hour of one core, and exits with 1 if a
time differs. `--zones 20` judges so many zones, each of other clocks; `--planted` judges a schedule that leaves out
what clocks skip, and has to find it.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from penstock.schedules import CronSchedule
from tests.schedules import judging, oracle

QUARTER = timedelta(minutes=15)


def by_clocks() -> list[list[str]]:
    """Return the names of all zones, together those whose clocks show the same at every quarter of the three years."""
    found: dict[int, list[str]] = {}
    quarters = [oracle.BEGIN + number * QUARTER for number in range((oracle.END - oracle.BEGIN) // QUARTER)]
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        found.setdefault(hash(tuple(moment.astimezone(zone).utcoffset() for moment in quarters)), []).append(name)
    return list(found.values())


def expected(zone: str) -> list[list[datetime]]:
    """Return when each of the crons is due in three years, by the minutes of *zone*."""
    crons = [oracle.read(cron) for cron in oracle.CRONS]
    return oracle.due(crons, ZoneInfo(zone), oracle.BEGIN, oracle.END)


def judge(groups: list[list[str]], make: judging.Make) -> Iterator[str]:
    """Yield what is wrong, of one zone of each clocks first; say how far it is."""
    begun, rounds = time.monotonic(), max(map(len, groups))
    zones = [(names[number], names[0]) for number in range(rounds) for names in groups if len(names) > number]
    times = {}
    for done, (name, key) in enumerate(zones, 1):
        if key not in times:
            times[key] = expected(name)
            yield from judging.around_changes(name, oracle.CRONS, make)
        yield from judging.faults(name, oracle.CRONS, oracle.BEGIN, oracle.END, make=make, expected=times[key])
        said = f"{done}/{len(zones)} zones, {name}, {sum(map(len, times[key]))} times, {time.monotonic() - begun:.0f} s"
        print(f"  {said}", file=sys.stderr, flush=True)


def main() -> int:
    """Judge what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    parser.add_argument("--zones", type=int, help="judge so many zones [all]")
    parser.add_argument("--planted", action="store_true", help="judge a schedule with a fault")
    chosen = parser.parse_args()
    groups = by_clocks()
    if chosen.zones is not None:
        groups = [[name] for name in [names[0] for names in groups][: chosen.zones]]
    make: judging.Make = _forgetting if chosen.planted else CronSchedule
    faults = 0
    for fault in judge(groups, make):
        faults += 1
        print(fault, flush=True)
    print(f"{sum(map(len, groups))} zones of {len(groups)} clocks, {len(oracle.CRONS)} crons, 3 years: {faults} faults")
    return 1 if faults else 0


def _forgetting(cron: str, **options: Any) -> CronSchedule:
    return CronSchedule(cron, **{**options, "gap": "skip"})


if __name__ == "__main__":
    sys.exit(main())
