"""Runs of registered flows: asking the backend for one, and watching it until an agent has run it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock_cli import display, following, options, printing, progress
from penstock_cli.invocation import current, open_backend

if TYPE_CHECKING:
    from penstock.backends import Backend
    from penstock.backends.models import FlowRun


@dataclass(frozen=True, slots=True)
class Request:
    """What a run of a registered flow is asked for with."""

    project: str
    flow: str
    given: tuple[str, ...] = ()
    params_file: Path | None = None
    executor: dict[str, Any] | None = None
    name: str | None = None
    labels: tuple[str, ...] | None = None
    at: datetime | None = None
    key: str | None = None


def create(request: Request, *, wait: bool, as_json: bool) -> int:
    """Create a run; show it until it ends if *wait*. Return the exit code."""
    backend = open_backend()
    spec = backend.get_flow(request.project, request.flow).spec
    schemas = {parameter["name"]: parameter.get("json_schema") for parameter in spec.get("parameters", ())}
    run = backend.create_flow_run(
        request.project,
        request.flow,
        parameters=options.read_parameters(request.given, request.params_file, schemas),
        labels=request.labels,
        scheduled_time=request.at,
        name=request.name,
        idempotency_key=request.key,
        executor=request.executor,
    )
    if wait:
        return watch(backend, run, as_json=as_json)
    if as_json:
        printing.print_json(run.model_dump(mode="json"))
    else:
        printing.say(
            f"Created the run {run.name} of {run.project}/{run.flow}, due {printing.moment(run.scheduled_time)}"
        )
        printing.say(f"Watch it: penstock runs wait {run.name}")
    return 0


def watch(backend: "Backend", run: "FlowRun", *, as_json: bool) -> int:
    """Show *run* until it ends, and return the exit code."""
    quiet = current().quiet
    spec = backend.get_flow(run.project, run.flow, run.version).spec
    state_of_run = progress.of_spec(spec, run.name)
    shown = display.choose(state_of_run, as_json=as_json, quiet=quiet)
    listeners = following.Listeners(backend, run, state_of_run)
    try:
        ended = following.Follower(backend, run, shown, (lambda: None) if quiet else listeners.check).follow()
    except KeyboardInterrupt:
        click.echo(f"The run goes on. To end it: penstock runs cancel {run.name}", err=True)
        raise
    if not quiet and not as_json:
        following.sum_up(backend, ended, state_of_run)
    return 0 if following.state_of(ended.state).is_successful() else 1
