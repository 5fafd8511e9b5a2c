"""`penstock register`."""

import json
import logging
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from penstock import errors, logs, settings
from penstock_cli import flow_files, options, printing
from penstock_cli.groups import Command
from penstock_cli.invocation import open_backend

if TYPE_CHECKING:
    from penstock import Flow
    from penstock.backends import Backend
    from penstock.backends.models import RegisteredFlow


class Registration(NamedTuple):
    """What became of a flow: registered as a version, or unchanged."""

    flow: "RegisteredFlow"
    action: str


@click.command(
    cls=Command,
    backend=True,
    examples=[
        "penstock register census.py --project tutorial",
        "penstock register flows/ --project tutorial --label gpu --no-schedule",
    ],
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path(path_type=Path))
@click.option(
    "--project", required=True, callback=options.new_project, help="The project; created if there is none of that name."
)
@click.option("--flow", "only", metavar="NAME", help="Only this flow of the files.")
@options.labels("A label that an agent must have to run it.")
@click.option("--no-schedule", is_flag=True, help="Leave the flow's schedule paused.")
@click.option("--force", is_flag=True, help="Register a new version even of what is unchanged.")
@options.as_json
def register(
    paths: tuple[Path, ...],
    *,
    project: str,
    only: str | None,
    labels: tuple[str, ...],
    no_schedule: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Register the flows of files with the backend.

    A folder stands for the Python files in it. The source of a flow goes to its storage, its metadata to the backend. A
    flow whose source, structure and labels are those of its newest version is left as it is.
    """
    flows = _load(paths, only)
    backend = open_backend()
    is_new = all(one.name != project for one in backend.list_projects(limit=1_000_000))
    with logs.narrating(logging.WARNING):  # said below
        done = [_register(backend, flow, project, labels, no_schedule=no_schedule, force=force) for flow in flows]
    if as_json:
        printing.print_json([{**flow.model_dump(mode="json"), "action": action} for flow, action in done])
        return
    if is_new:
        printing.say(f'Created the project "{project}"')
    for registered, action in done:
        printing.say(f"{action.capitalize()} {registered.project}/{registered.name}, version {registered.version}")
    if any(action == "registered" for _, action in done):
        printing.say(f"Run it: penstock run --flow {done[-1].flow.project}/{done[-1].flow.name} --wait")


def _load(paths: tuple[Path, ...], only: str | None) -> "list[Flow]":
    """Return the flows to register; raises FlowFileError if there are none, or two of one name."""
    found: dict[str, Flow] = {}
    for path in paths:
        for name, flow in flow_files.load_all(path).items():
            if name in found:
                message = f'{path} defines the flow "{name}", which another of the files defines too; rename one'
                raise errors.FlowFileError(message)
            found[name] = flow
    where = ", ".join(map(str, paths))
    if only is not None:
        from penstock.storage import scripts

        found = {only: scripts.choose(found, only, where)}
    if not found:
        message = f"{where} defines no flow at module level; expected `with Flow(...) as flow:` outside of any function"
        raise errors.FlowFileError(message)
    return [flow_files.checked(flow) for flow in found.values()]


def _register(
    backend: "Backend", flow: "Flow", project: str, labels: tuple[str, ...], *, no_schedule: bool, force: bool
) -> Registration:
    key = None if force else content_key(flow, labels)
    known = None if force else _newest(backend, project, flow.name)
    if known is not None and not known.archived and known.idempotency_key == key:
        if no_schedule and known.schedule_active:
            known = backend.set_schedule_active(project, flow.name, active=False)
        return Registration(known, "unchanged")
    flow.register(project, labels=labels or None, set_schedule_active=not no_schedule, idempotency_key=key)
    return Registration(backend.get_flow(project, flow.name), "registered")


def _newest(backend: "Backend", project: str, name: str) -> "RegisteredFlow | None":
    try:
        return backend.get_flow(project, name)
    except (errors.UnknownFlowError, errors.UnknownProjectError):
        return None


def content_key(flow: "Flow", labels: tuple[str, ...]) -> str:
    """Return the SHA-256 of what makes a version of a flow: its structure, file, labels and storage."""
    from penstock.storage.scripts import script_of

    script = script_of(flow)
    structure = flow.serialize().model_copy(update={"versions": {}})
    parts: list[Any] = [
        structure.digest(),
        sha256(Path(script).read_bytes()).hexdigest() if script else None,
        sorted(labels),
        None if flow.storage is not None else settings.get().storage,
    ]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
