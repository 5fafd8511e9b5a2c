"""`penstock backfill`."""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from penstock import clock, errors
from penstock_cli import options, printing
from penstock_cli.groups import Command
from penstock_cli.invocation import current, open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.backends import Backend
    from penstock.backends.models import FlowRun, RegisteredFlow
    from penstock.schedules import ClockEvent, Schedule

_PAGE: Final = 100
_EVERY_RUN: Final = 1_000_000
_SHOWN: Final = 5
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Wanted:
    """A time of the schedule with what its clock gives it, and the run that there is for it."""

    time: datetime
    parameters: dict[str, Any]
    labels: list[str] | None
    run: str | None = None
    action: str = "create"

    def is_made_by(self, run: "FlowRun") -> bool:
        """Return whether *run* has this time and what the clock gives; whatever else was set for the flow then."""
        given = self.parameters.items() <= run.parameters.items()
        return given and run.scheduled_time == self.time and self.labels in (None, sorted(set(run.labels)))

    @property
    def key(self) -> str:
        """What the run is asked for by, so that another backfill does not make it again."""
        given = json.dumps([self.parameters, self.labels], sort_keys=True)
        return f"backfill {self.time.isoformat()} {sha256(given.encode()).hexdigest()[:16]}"

    def as_data(self) -> dict[str, Any]:
        """Return this as `--json` has it."""
        given = {"parameters": self.parameters, "labels": self.labels}
        return {"scheduled_time": _utc(self.time), **given, "action": self.action, "run": self.run}


@click.command(
    cls=Command,
    backend=True,
    examples=[
        "penstock backfill tutorial/census --from 2026-11-01 --to 2026-11-08 --dry-run",
        "penstock backfill tutorial/census --from 2026-11-01T00:00Z --to 2026-11-07T23:59Z --yes",
    ],
)
@click.argument("flow", metavar="PROJECT/NAME")
@click.option(
    "--from", "begin", required=True, type=options.Moment(), metavar="TIME", help="The first time, ISO 8601; included."
)
@click.option("--to", "end", type=options.Moment(), metavar="TIME", help="The last time, included.  [now]")
@click.option(
    "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Refuse to make more runs than that."
)
@click.option("--dry-run", is_flag=True, help="Only say which runs would be made.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def backfill(
    flow: str, *, begin: datetime, end: datetime | None, limit: int, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Make the runs that a flow's schedule names in a range of the past.

    A time that has a run is left out, so that the same range can be filled twice and nothing happens twice. The runs
    are of the flow's newest version, due at once, the earliest first.
    """
    begin, end = _range(begin, end)
    backend = open_backend()
    registered = backend.get_flow(*options.flow_name(flow))
    wanted = _plan(backend, registered, begin, end, limit)
    missing = [one for one in wanted if one.run is None]
    if len(missing) > limit:
        message = f"More than {limit} runs would be made. Choose a shorter range, or a higher --limit"
        raise errors.ScheduleError(message)
    if not as_json:
        _show(flow, wanted, missing)
    if missing and not dry_run:
        if not yes:
            click.confirm(f"Make {len(missing)} runs?", abort=True, err=True)
        _make(backend, registered, missing)
    if as_json:
        printing.print_json([one.as_data() for one in wanted])
    elif missing and not dry_run:
        made = sum(one.action == "created" for one in missing)
        printing.say(f"Made {made} runs. See them: penstock runs list --flow {flow}")


def _range(begin: datetime, end: datetime | None) -> tuple[datetime, datetime]:
    now = clock.now()
    begin, end = begin.astimezone(UTC), end.astimezone(UTC) if end is not None else now
    if begin > end:
        message = f"--from {_utc(begin)} is after --to {_utc(end)}; expected a range of the past"
        raise errors.ScheduleError(message)
    if end > now:
        message = (
            f"--to {_utc(end)} has not come yet; what is to come is scheduled by itself. Expected a time that passed"
        )
        raise errors.ScheduleError(message)
    return begin, end


def _plan(backend: "Backend", flow: "RegisteredFlow", begin: datetime, end: datetime, limit: int) -> list[Wanted]:
    """Return the times of the schedule in the range with the runs there are, until more than *limit* are missing.

    Raises ScheduleError without a schedule, ParameterError for a time that lacks a parameter.
    """
    from penstock.schedules import Schedule
    from penstock.spec import FlowSpec

    if flow.schedule is None:
        message = f"The flow {flow.project}/{flow.name} has no schedule, which would say when to run it"
        raise errors.ScheduleError(message)
    spec = FlowSpec.model_validate(flow.spec)
    runs = backend.list_flow_runs(flow.project, flow.name, limit=_EVERY_RUN)
    wanted = []
    for event in islice(_events(Schedule.restore(flow.schedule), begin, end), len(runs) + limit + 1):
        spec.check_parameters({**flow.parameters, **event.parameter_defaults})
        labels = None if event.labels is None else sorted(set(event.labels))
        wanted.append(Wanted(event.start_time, dict(event.parameter_defaults), labels))
    _find_made(wanted, runs)
    return wanted


def _find_made(wanted: list[Wanted], runs: "list[FlowRun]") -> None:
    """Note for each of *wanted* the run that there is for it; each run is that of one."""
    there = defaultdict[datetime | None, list["FlowRun"]](list)
    for run in runs:
        there[run.scheduled_time].append(run)
    for one in sorted(wanted, key=lambda one: -len(one.parameters)):  # what asks for most fits the fewest runs
        found = next((run for run in there[one.time] if one.is_made_by(run)), None)
        if found is not None:
            there[one.time].remove(found)
            one.run, one.action = found.name, "exists"


def _events(schedule: "Schedule", begin: datetime, end: datetime) -> "Iterator[ClockEvent]":
    after = begin - _INSTANT
    while page := schedule.events(_PAGE, after):
        for event in page:
            if event.start_time > end:
                return
            yield event
        after = page[-1].start_time


def _show(flow: str, wanted: list[Wanted], missing: list[Wanted]) -> None:
    if not wanted:
        printing.say(f"The schedule of {flow} names no time in this range")
        return
    printing.say(f"{flow}: {len(wanted)} times, {len(wanted) - len(missing)} have a run, {len(missing)} to make")
    for one in missing[:_SHOWN]:
        given = "".join(f"  {name}={value!r}" for name, value in one.parameters.items())
        printing.say(f"  {printing.moment(one.time)}{given}")
    if len(missing) > _SHOWN:
        printing.say(f"  … and {len(missing) - _SHOWN} more, the last at {printing.moment(missing[-1].time)}")


def _make(backend: "Backend", flow: "RegisteredFlow", missing: list[Wanted]) -> None:
    """Make the runs; what is interrupted can be asked for again."""
    hidden = current().quiet or not sys.stderr.isatty()
    with click.progressbar(missing, label="Making runs", file=sys.stderr, hidden=hidden) as progress:
        for one in progress:
            made = backend.create_flow_run(
                flow.project,
                flow.name,
                parameters=one.parameters,
                labels=one.labels,
                scheduled_time=one.time,
                idempotency_key=one.key,
            )
            one.run, one.action = made.name, "created"


def _utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
