"""`penstock flows`."""

from typing import TYPE_CHECKING, Any

import click

from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend
from penstock_cli.printing import Cell, Styled

if TYPE_CHECKING:
    from penstock.backends.models import RegisteredFlow


@click.group(cls=Group, examples=["penstock flows list --project tutorial", "penstock flows show tutorial/census"])
def flows() -> None:
    """List, show, pause and archive registered flows."""


@flows.command("list", backend=True, examples=["penstock flows list", "penstock flows list --project tutorial --json"])
@click.option("--project", help="Only the flows of this project.")
@click.option("--archived", is_flag=True, help="All versions, archived ones too.")
@options.as_json
@options.limit(200)
def list_(*, project: str | None, archived: bool, as_json: bool, limit: int) -> None:
    """List the flows by project and name, the newest version of each."""
    found = open_backend().list_flows(project, archived=archived, limit=limit)
    printing.print_records(
        found,
        ("FLOW", "VERSION", "SCHEDULE", "LABELS", "REGISTERED"),
        [
            (_name(one), str(one.version), _schedule(one), ", ".join(one.labels) or None, printing.moment(one.created))
            for one in found
        ],
        as_json=as_json,
    )


@flows.command(
    backend=True, examples=["penstock flows show tutorial/census", "penstock flows show tutorial/census --json"]
)
@click.argument("flow", metavar="PROJECT/NAME")
@click.option("--version", type=click.IntRange(min=1), help="This version; by default the newest.")
@options.as_json
def show(flow: str, *, version: int | None, as_json: bool) -> None:
    """Show a flow: its version, schedule, storage, parameters and tasks."""
    found = open_backend().get_flow(*options.flow_name(flow), version)
    if as_json:
        printing.print_json(found.model_dump(mode="json"))
        return
    spec = found.spec
    printing.print_details(
        [
            ("flow", _name(found)),
            ("id", found.id),
            ("version", f"{found.version}, registered {printing.moment(found.created)}"),
            ("schedule", _schedule(found)),
            ("labels", ", ".join(found.labels) or None),
            ("storage", _kind(spec.get("storage"))),
            ("executor", _kind(spec.get("executor"))),
            ("parameters", ", ".join(_parameter(one) for one in spec.get("parameters", ())) or None),
        ]
    )
    click.echo()
    printing.print_table(("TASK", "WAITS FOR", "RETRIES"), _tasks(spec))


@flows.command(backend=True, examples="penstock flows pause tutorial/census")
@click.argument("flow", metavar="PROJECT/NAME")
def pause(flow: str) -> None:
    """Stop a flow's schedule; runs that were ready and have not begun are taken back."""
    _set_active(flow, active=False)


@flows.command(backend=True, examples="penstock flows unpause tutorial/census")
@click.argument("flow", metavar="PROJECT/NAME")
def unpause(flow: str) -> None:
    """Let a flow's schedule go on."""
    _set_active(flow, active=True)


@flows.command(backend=True, examples="penstock flows archive tutorial/census")
@click.argument("flow", metavar="PROJECT/NAME")
def archive(flow: str) -> None:
    """Archive a flow, so that no more runs of it can be created; its history stays."""
    found = open_backend().archive_flow(*options.flow_name(flow))
    printing.say(f"Archived version {found.version} of {_name(found)}; registering the flow again brings it back")


def _set_active(flow: str, *, active: bool) -> None:
    found = open_backend().set_schedule_active(*options.flow_name(flow), active=active)
    said = "goes on" if active else "is paused"
    nothing = "" if found.spec.get("schedule") else " (it has no schedule)"
    printing.say(f"The schedule of {_name(found)} {said}{nothing}")


def _name(flow: "RegisteredFlow") -> Cell:
    return f"{flow.project}/{flow.name}"


def _schedule(flow: "RegisteredFlow") -> Cell:
    schedule = flow.spec.get("schedule")
    if flow.archived:
        return Styled("archived", "dim")
    if not schedule:
        return None
    text = _kind(schedule) or ""
    return text if flow.schedule_active else Styled(f"paused: {text}", "dim")


def _kind(spec: dict[str, Any] | None) -> str | None:
    if not spec:
        return None
    shown = [
        str(value)
        for name, value in spec.get("options", {}).items()
        if isinstance(value, str | int) and name != "references"
    ]
    return " ".join([str(spec["type"]), *shown])


def _parameter(parameter: dict[str, Any]) -> str:
    return parameter["name"] if parameter["required"] else f"{parameter['name']}={parameter['default']!r}"


def _tasks(spec: dict[str, Any]) -> list[tuple[Cell, ...]]:
    waits: dict[str, set[str]] = {}
    for edge in spec.get("edges", ()):
        waits.setdefault(edge["downstream"], set()).add(edge["upstream"])
    return [
        (
            f"{task['slug']}{' (mapped)' if task.get('mapped') else ''}",
            ", ".join(sorted(waits.get(task["slug"], ()))) or None,
            str(task["max_retries"]) if task.get("max_retries") else None,
        )
        for task in spec.get("tasks", ())
    ]
