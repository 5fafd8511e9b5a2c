"""Three schedulers over one backend for two days of virtual time, beside when the minutes say that flows are due."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from penstock import clock, get_backend, settings
from penstock.schedulers import BackendScheduler
from penstock.schedules import CronSchedule
from penstock.settings import Catchup
from penstock.spec import FlowSpec
from penstock.testing.clocks import VirtualClock
from tests.schedules import judging, oracle

Scheduled: TypeAlias = tuple[str, str, tuple[str, str]]
"""An expression, a zone, and what becomes of skipped and repeated times."""
Say: TypeAlias = Callable[[str], None]

BEGIN = datetime(2026, 10, 24, 12, tzinfo=UTC)  # clocks are put back in Europe in the night that follows
HOUR = timedelta(hours=1)
HOURS = 48
LIVES = [[(0, 20), (26, 30), (35, 49)], [(3, 30), (33, 49)], [(0.5, 9), (9.25, 11), (12, 24), (33.5, 49)]]
"""Hours in which each scheduler lives; from the 30th to the 33rd none does."""
INTERVALS = [1700, 2500, 3300]
PROJECT = "fleet"
SEED = 20261025


def chosen(number: int, seed: int) -> list[Scheduled]:
    """Return so many schedules, every other one in a zone whose clocks are changed in the two days."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    zones = sorted(available_timezones())
    changing = [zone for zone in zones if oracle.changes(ZoneInfo(zone), BEGIN, BEGIN + HOURS * HOUR)]
    return [
        (draw.choice(oracle.CRONS), draw.choice(changing if one % 2 else zones), draw.choice(judging.POLICIES))
        for one in range(number)
    ]


def expected(schedules: Sequence[Scheduled]) -> Counter[tuple[str, datetime]]:
    """Return how often each flow is due at each time, by the minutes."""
    end, day = BEGIN + HOURS * HOUR, 24 * HOUR
    found: Counter[tuple[str, datetime]] = Counter()
    for number, (cron, zone, policy) in enumerate(schedules):
        (times,) = oracle.due([oracle.read(cron)], ZoneInfo(zone), BEGIN - 2 * day, end + 2 * day, *policy)
        found.update((name(number), time) for time in times if BEGIN < time <= end)
    return found


def name(number: int) -> str:
    return f"flow-{number}"


def scheduled(
    folder: Path, schedules: Sequence[Scheduled], catchup: Catchup, say: Say
) -> Counter[tuple[str, datetime]]:
    """Return how many runs of each flow there are for each time of two days, after schedulers have come and gone."""
    with _backend(folder), clock.use(VirtualClock(BEGIN)) as virtual, virtual.participate():
        store = get_backend()
        store.create_project(PROJECT)
        for number, (cron, zone, (gap, fold)) in enumerate(schedules):
            schedule = CronSchedule(cron, timezone=zone, gap=gap, fold=fold)
            store.register_flow(FlowSpec(name=name(number), schedule=schedule.spec()), project=PROJECT)
        threads = [
            threading.Thread(target=_live, args=(lives, interval, catchup))
            for lives, interval in zip(LIVES, INTERVALS, strict=True)
        ]
        for thread in threads:
            virtual.start(thread)
        for hour in range(HOURS + 2):
            clock.sleep(HOUR.total_seconds())
            say(f"{hour + 1} hours have passed")
        runs = store.list_flow_runs(PROJECT, limit=10**7)
        store.close()
    for thread in threads:
        thread.join()
    times = ((run.flow, run.scheduled_time) for run in runs)
    return Counter((flow, time) for flow, time in times if time is not None and time <= BEGIN + HOURS * HOUR)


def _live(lives: Sequence[tuple[float, float]], interval: float, catchup: Catchup) -> None:
    """Be a scheduler in some hours; each time a new one, which knows nothing of the one before."""
    for begin, end in lives:
        clock.sleep((BEGIN + begin * HOUR - clock.now()).total_seconds())
        stop = threading.Event()
        clock.current().start(threading.Thread(target=_stop, args=(stop, BEGIN + end * HOUR)))
        BackendScheduler(ahead=3, interval_seconds=interval, catchup=catchup).run(stop)


def _stop(stop: threading.Event, time: datetime) -> None:
    clock.sleep((time - clock.now()).total_seconds())
    stop.set()


@contextmanager
def _backend(folder: Path) -> Iterator[None]:
    with settings.override({"backend": f"sqlite:///{folder / 'penstock.db'}", "logging": {"level": "ERROR"}}):
        yield


def faults(
    folder: Path, schedules: Sequence[Scheduled], catchup: Catchup = "all", say: Say = lambda _words: None
) -> list[str]:
    """Return what is wrong with the runs that schedulers make: times that lack one, and runs too many."""
    wanted, found = expected(schedules), scheduled(folder, schedules, catchup, say)
    say(f"{wanted.total()} times were named, {found.total()} runs were made")
    told = [
        f"{flow} lacks {count} of {wanted[flow, time]} at {time}" for (flow, time), count in (wanted - found).items()
    ]
    return told + [f"{flow} has {count} too many at {time}" for (flow, time), count in (found - wanted).items()]
