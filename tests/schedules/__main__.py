"""Compare schedules, and the runs that schedulers make, with what is seen by looking at every minute.

`python -m tests.schedules` judges three schedulers with 500 schedules over two days of virtual time, and then crons in
every zone there is over three years, which takes about an hour of one core. It exits with 1 if a time differs. With
`--planted` it judges a scheduler that makes runs again and a schedule that leaves out what clocks skip, and has to find
them.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from penstock.schedules import CronSchedule
from tests.schedules import fleet, judging, oracle, planted

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


def judge_minutes(zones: int | None, make: judging.Make) -> int:
    """Print what is wrong with crons, and return how much that is."""
    groups = by_clocks()
    if zones is not None:
        groups = [[names[0]] for names in groups[:zones]]
    faults = 0
    for fault in judge(groups, make):
        faults += 1
        print(fault, flush=True)
    print(f"{sum(map(len, groups))} zones of {len(groups)} clocks, {len(oracle.CRONS)} crons, 3 years: {faults} faults")
    return faults


def judge_fleet(number: int, seed: int) -> int:
    """Print what is wrong with the runs that three schedulers make, and return how much that is."""
    begun = time.monotonic()

    def say(words: str) -> None:
        print(f"  {words}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="penstock-fleet-") as folder:
        faults = fleet.faults(Path(folder), fleet.chosen(number, seed), say=say)
    for fault in faults:
        print(fault)
    print(f"seed {seed}: 3 schedulers, {number} schedules, {fleet.HOURS} hours: {len(faults)} faults", flush=True)
    return len(faults)


def main() -> int:
    """Judge what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["minutes", "fleet"], help="judge only this [both]")
    parser.add_argument("--zones", type=int, help="judge crons in so many zones [all]")
    parser.add_argument("--schedules", type=int, default=500, help="let schedulers have so many [500]")
    parser.add_argument("--seed", type=int, default=fleet.SEED, help=f"of these schedules [{fleet.SEED}]")
    parser.add_argument("--planted", action="store_true", help="judge what has a fault")
    chosen = parser.parse_args()
    faults = 0
    if chosen.what != "minutes":
        with planted.repeating() if chosen.planted else nullcontext():
            faults += judge_fleet(chosen.schedules, chosen.seed)
    if chosen.what != "fleet":
        faults += judge_minutes(chosen.zones, planted.forgetting if chosen.planted else CronSchedule)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
