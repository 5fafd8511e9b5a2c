"""`penstock flows`."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from penstock import errors
from penstock.backends.models import Document
from penstock.hooks.kinds import KindSpec
from penstock.spec import FlowSpec
from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend
from penstock_cli.printing import Cell, Styled

if TYPE_CHECKING:
    from penstock.backends.models import RegisteredFlow

_TIMES: Final = 100
"""How many coming times of a schedule are looked at, as when a flow is registered."""


@click.group(cls=Group, examples=["penstock flows list --project tutorial", "penstock flows show tutorial/census"])
def flows() -> None:
    """List, show, set up, pause and archive registered flows."""


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
            ("set", ", ".join(sorted(found.group)) or None),
        ]
    )
    click.echo()
    printing.print_table(("TASK", "WAITS FOR", "RETRIES"), _tasks(spec))


@flows.command(
    "set",
    backend=True,
    examples=[
        'penstock flows set tutorial/census --schedule "0 6 * * 1-5 Europe/Paris" -p limit=200',
        'penstock flows set tutorial/census --label gpu --run-config env=\'{"DEBUG": "1"}\' --on-lost reschedule',
    ],
)
@click.argument("flow", metavar="PROJECT/NAME")
@click.option("--schedule", metavar="TEXT", help='When it is due: "0 6 * * *", "every 10 minutes".')
@options.labels("A label that an agent must have to run it.")
@options.parameters
@options.executor
@click.option("--run-config", multiple=True, metavar="OPTION=VALUE", help="An option of how its runs begin.")
@click.option("--on-lost", type=click.Choice(["fail", "reschedule"]), help="What becomes of a run that is lost.")
def set_(
    flow: str,
    *,
    schedule: str | None,
    labels: tuple[str, ...],
    given: tuple[str, ...],
    params_file: Path | None,
    executor_type: str | None,
    executor_options: tuple[str, ...],
    run_config: tuple[str, ...],
    on_lost: str | None,
) -> None:
    """Set what holds for all versions of a flow, in place of what it is registered with.

    What is not named stays as it is; `penstock flows reset` takes it back. What is given with a run goes over it.
    """
    project, name = options.flow_name(flow)
    backend = open_backend()
    found = backend.get_flow(project, name)
    schemas = {one["name"]: one.get("json_schema") for one in found.spec.get("parameters", ())}
    parameters = options.read_parameters(given, params_file, schemas)
    _refuse_unknown(found, parameters)
    executor = options.executor_request(executor_type, options.pairs(executor_options, "An option"))
    configured = options.pairs(run_config, "An option")
    new: dict[str, Any] = {
        "schedule": _schedule_of(schedule) if schedule else None,
        "labels": list(labels),
        "parameters": {**found.group.get("parameters", {}), **parameters} if parameters else None,
        "executor": executor,
        "run_config": {**found.group.get("run_config", {}), **configured} if configured else None,
        "on_lost": on_lost,
    }
    chosen = {key: value for key, value in new.items() if value}
    if not chosen:
        raise click.UsageError("Say what to set: --schedule, --label, -p, --executor, --run-config or --on-lost")
    data = {**found.group, **chosen}
    _refuse_unusable(found, data)
    backend.put_document(Document(kind="flow-group", scope=project, name=name, data=data))
    printing.say(f"For all versions of {_name(found)} these are set: {', '.join(sorted(data))}")


@flows.command(
    backend=True, examples=["penstock flows reset tutorial/census", "penstock flows reset tutorial/census schedule"]
)
@click.argument("flow", metavar="PROJECT/NAME")
@click.argument("what", nargs=-1, metavar="[WHAT]…")
def reset(flow: str, what: tuple[str, ...]) -> None:
    """Take back what `set` set, all or WHAT: schedule, labels, parameters, executor, run_config, on_lost."""
    project, name = options.flow_name(flow)
    backend = open_backend()
    found = backend.get_flow(project, name)
    group = found.group
    for one in what:
        if one not in group:
            hint = errors.did_you_mean(one, group) or f" What is set: {errors.listing(group)}"
            raise click.UsageError(f"{one} is not set for {flow}.{hint}")
    left = {key: value for key, value in group.items() if what and key not in what}
    _refuse_unusable(found, left)
    if left:
        backend.put_document(Document(kind="flow-group", scope=project, name=name, data=left))
    else:
        backend.delete_document("flow-group", name, project)
    printing.say(f"For all versions of {flow} these are set: {errors.listing(left)}")


def _refuse_unknown(flow: "RegisteredFlow", parameters: Mapping[str, Any]) -> None:
    """Raise ParameterError for a parameter that the flow does not have; what is required may be given with a run."""
    spec = FlowSpec.model_validate(flow.spec)
    spec.check_parameters({**{one.name: None for one in spec.parameters}, **parameters})


def _refuse_unusable(flow: "RegisteredFlow", group: Mapping[str, Any]) -> None:
    """Raise what is wrong with what is to be set: a run config that is none, a schedule that lacks a parameter.

    Plugins that are not installed here may be where schedulers and agents are.
    """
    from penstock.run_configs import RunConfig
    from penstock.schedules import Schedule

    spec = FlowSpec.model_validate(flow.spec)
    own = spec.run_config or KindSpec(type="local")
    given = {"type": own.type, **group.get("run_config", {})}
    with suppress(errors.PluginMissingError):
        RunConfig.resolve({**(own.options if given["type"] == own.type else {}), **given})
    schedule = group.get("schedule") or spec.schedule
    with suppress(errors.PluginMissingError):
        for event in Schedule.restore(schedule).events(_TIMES) if schedule else ():
            spec.check_parameters({**group.get("parameters", {}), **event.parameter_defaults})


def _schedule_of(text: str) -> dict[str, Any]:
    from penstock.schedules import Schedule

    return Schedule.resolve(text).spec().model_dump(mode="json")


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
    nothing = "" if found.schedule else " (it has no schedule)"
    printing.say(f"The schedule of {_name(found)} {said}{nothing}")


def _name(flow: "RegisteredFlow") -> Cell:
    return f"{flow.project}/{flow.name}"


def _schedule(flow: "RegisteredFlow") -> Cell:
    schedule = flow.schedule
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
