"""`penstock schedule`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from penstock import clock, errors
from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.schedules import ClockEvent, Schedule

_NEAR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """An event as it is shown: in a zone, and with what is notable about its time."""

    event: "ClockEvent"
    zone: tzinfo
    marks: Sequence[tuple[str, str]] = ()

    @property
    def shown(self) -> datetime:
        """The time as clocks show it."""
        return self.event.start_time.astimezone(self.zone)


@click.group(cls=Group, examples=['penstock schedule preview "0 6 * * 1-5 Europe/Berlin"'])
def schedule() -> None:
    """Preview the times that a schedule stands for."""


@schedule.command(
    backend=True,
    examples=[
        'penstock schedule preview "0 6 * * 1-5 Europe/Berlin"',
        'penstock schedule preview "every 10 minutes" -n 3',
        'penstock schedule preview "30 2 * * *" --zone America/New_York --after 2027-03-13',
        "penstock schedule preview tutorial/census -n 5",
    ],
)
@click.argument("expression", metavar="EXPR|PROJECT/NAME")
@click.option("-n", "--limit", "count", type=options.COUNT, default=20, show_default=True, help="Print so many times.")
@click.option(
    "--zone", help="The time zone of the times printed, and of EXPR if that names none.  [that of EXPR, or UTC]"
)
@click.option("--after", type=options.Moment(), metavar="TIME", help="Begin after this time, ISO 8601.  [now]")
@options.as_json
def preview(expression: str, *, count: int, zone: str | None, after: datetime | None, as_json: bool) -> None:
    """Print the next times of a schedule: text such as "every 10 minutes", or a registered flow's.

    Times that clocks skip or show twice are marked, as are those that an adjustment or jitter moves.
    """
    shown_in = None if zone is None else _zone(zone)
    found = _of_flow(expression) if _names_a_flow(expression) else _of_text(expression, zone)
    after = after or clock.now()
    lines = _lines(found, count, after, shown_in)
    if as_json:
        printing.print_json([_as_data(line) for line in lines])
        return
    for line in lines:
        for change in _changes(after, line):
            click.echo(click.style(f"    {change}", dim=True))
        marks = "".join(f"  ({words})" for _, words in line.marks)
        click.echo(f"{line.shown:%a %Y-%m-%d %H:%M:%S %Z}{_given(line.event)}{click.style(marks, fg='yellow')}")
        after = line.event.start_time


def _lines(schedule: "Schedule", count: int, after: datetime, zone: tzinfo | None) -> list[Line]:
    """Return what is printed; a schedule that can tell how a time came about is asked for it."""
    planned = getattr(schedule, "planned", None)
    if planned is None:
        return [Line(event, zone or UTC) for event in schedule.events(count, after)]
    return [Line(one.event, zone or one.moment.tzinfo or UTC, one.marks()) for one in planned(count, after)]


def _changes(after: datetime, line: Line) -> Iterator[str]:
    """Yield what clocks do in the day before the time of *line*, if that is after *after*."""
    late = line.event.start_time
    early = max(after.astimezone(UTC), late - _NEAR)
    offset = early.astimezone(line.zone).utcoffset()
    if offset == line.shown.utcoffset():
        return
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        early, late = (middle, late) if middle.astimezone(line.zone).utcoffset() == offset else (early, middle)
    new = late.astimezone(line.zone).replace(tzinfo=None)
    old = (late + (offset or timedelta(0))).replace(tzinfo=None)
    forward = f"clocks go forward: {old:%H:%M} to {new:%H:%M} is skipped"
    yield forward if new > old else f"clocks go back: {new:%H:%M} to {old:%H:%M} is repeated"


def _as_data(line: Line) -> dict[str, Any]:
    event = line.event
    return {
        "scheduled_time": f"{event.start_time:%Y-%m-%dT%H:%M:%SZ}",
        "local_time": line.shown.isoformat(timespec="seconds"),
        "zone": str(line.zone),
        "parameters": dict(event.parameter_defaults),
        "labels": None if event.labels is None else list(event.labels),
        "marks": [{"kind": kind, "words": words} for kind, words in line.marks],
    }


def _given(event: "ClockEvent") -> str:
    """Return what the clock gives the run, where it gives anything."""
    parameters = [f"{name}={value!r}" for name, value in event.parameter_defaults.items()]
    labels = [] if event.labels is None else [f"labels: {', '.join(event.labels) or 'none'}"]
    return "".join(f"  {part}" for part in (*parameters, *labels))


def _names_a_flow(expression: str) -> bool:
    one_word = len(expression.split()) == 1
    return one_word and "/" in expression and "TZID=" not in expression.upper()  # the zone of a calendar's date


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        message = f'There is no time zone "{name}"; expected a name such as Europe/Berlin'
        raise errors.ScheduleError(message) from error


def _of_text(expression: str, zone: str | None) -> "Schedule":
    from penstock.schedules import Schedule

    found = Schedule.resolve(expression)
    if zone is None or "timezone" in found.model_fields_set:
        return found
    return Schedule.resolve(expression, timezone=zone)


def _of_flow(name: str) -> "Schedule":
    from penstock.schedules import Schedule

    flow = open_backend().get_flow(*options.flow_name(name))
    spec: Mapping[str, Any] | None = flow.schedule
    if not spec:
        message = f"The flow {name} has no schedule"
        raise errors.ScheduleError(message)
    found: Schedule = Schedule.restore(spec)
    return found
