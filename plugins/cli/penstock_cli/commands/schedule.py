"""`penstock schedule`."""

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from penstock import errors
from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.schedules import ClockEvent, Schedule


@click.group(cls=Group, examples=['penstock schedule preview "0 6 * * 1-5" --zone Europe/Berlin'])
def schedule() -> None:
    """Preview the times that a schedule stands for."""


@schedule.command(
    backend=True,
    examples=[
        'penstock schedule preview "0 6 * * 1-5" --zone Europe/Berlin',
        "penstock schedule preview tutorial/census -n 5",
    ],
)
@click.argument("expression", metavar="EXPR|PROJECT/NAME")
@click.option(
    "-n", "--limit", "count", type=click.IntRange(min=1), default=20, show_default=True, help="Print so many times."
)
@click.option("--zone", help="The time zone of EXPR, and of the times printed.  [UTC]")
@options.as_json
def preview(expression: str, *, count: int, zone: str | None, as_json: bool) -> None:
    """Print the next times of a cron expression, or of a registered flow's schedule."""
    local = _zone(zone)
    found = _of_flow(expression) if _names_a_flow(expression) else _of_text(expression, zone)
    events = found.events(count)
    if as_json:
        printing.print_json([_as_data(event) for event in events])
        return
    for event in events:
        click.echo(f"{event.start_time.astimezone(local):%a %Y-%m-%d %H:%M:%S %Z}{_given(event)}")


def _as_data(event: "ClockEvent") -> dict[str, Any]:
    labels = None if event.labels is None else list(event.labels)
    time = f"{event.start_time:%Y-%m-%dT%H:%M:%SZ}"
    return {"scheduled_time": time, "parameters": dict(event.parameter_defaults), "labels": labels}


def _given(event: "ClockEvent") -> str:
    """Return what the clock gives the run, where it gives anything."""
    parameters = [f"{name}={value!r}" for name, value in event.parameter_defaults.items()]
    labels = [] if event.labels is None else [f"labels: {', '.join(event.labels) or 'none'}"]
    return "".join(f"  {part}" for part in (*parameters, *labels))


def _names_a_flow(expression: str) -> bool:
    return "/" in expression and " " not in expression.strip()


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (LookupError, ValueError) as error:
        message = f'There is no time zone "{name}"; expected a name such as Europe/Berlin'
        raise errors.ScheduleError(message) from error


def _of_text(expression: str, zone: str | None) -> "Schedule":
    from penstock.schedules import Schedule

    options: dict[str, Any] = {"timezone": zone} if zone else {}
    return Schedule.resolve(expression, **options)


def _of_flow(name: str) -> "Schedule":
    from penstock.schedules import Schedule

    flow = open_backend().get_flow(*options.flow_name(name))
    spec: Mapping[str, Any] | None = flow.spec.get("schedule")
    if not spec:
        message = f"The flow {name} has no schedule"
        raise errors.ScheduleError(message)
    found: Schedule = Schedule.restore(spec)
    return found
