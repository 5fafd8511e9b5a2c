"""`penstock run`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from penstock_cli import display, flow_files, options, printing, progress
from penstock_cli.groups import Command
from penstock_cli.invocation import current

if TYPE_CHECKING:
    from penstock import Flow
    from penstock.executors import Executor

_REMOTE_ONLY: Final = {"labels": "--label", "at": "--at", "key": "--key", "wait": "--wait/--no-wait"}


@click.command(
    cls=Command,
    backend=True,
    examples=[
        "penstock run census.py -p limit=200",
        "penstock run flows.py:census --executor processes -o max_workers=4",
        "penstock run --flow tutorial/census --at 2026-11-22T12:30 --no-wait",
    ],
)
@click.argument("target", metavar="FILE[:FLOW]", required=False)
@click.option(
    "--flow", "registered", metavar="PROJECT/NAME", help="Let an agent run this registered flow, instead of a file's."
)
@options.parameters
@options.executor
@click.option("--name", help="Name the run; by default it gets one that can be said: brisk-otter.")
@options.labels("With --flow: a label the agent must have, in place of the flow's.")
@click.option("--at", type=options.Moment(), help="With --flow: when the run is due; by default now.")
@click.option("--key", help="With --flow: an idempotency key; the same request with the same key makes no second run.")
@click.option(
    "--wait/--no-wait", default=None, help="With --flow: show the run until it ends; or only create it (the default)."
)
@click.option("--json", "as_json", is_flag=True, help="Print an event per line as JSON, or with --no-wait the run.")
def run(
    target: str | None,
    registered: str | None,
    given: tuple[str, ...],
    params_file: Path | None,
    executor_type: str | None,
    executor_options: tuple[str, ...],
    name: str | None,
    as_json: bool,
    **remote: Any,
) -> int:
    """Run a flow: a file's here and now, a registered one by an agent.

    Ends with 0 if the run succeeds and 1 if it fails. A registered flow needs an agent; with --no-wait the command
    ends as soon as the run is created.
    """
    _refuse_mixtures(target, registered, remote)
    chosen = options.pairs(executor_options, "An option of the executor")
    if target is not None:
        flow = flow_files.load_one(target)
        parameters = options.read_parameters(given, params_file, {p.name: p.json_schema() for p in flow.parameters()})
        executor = _executor(flow, executor_type, chosen)
        return run_here(flow, target, parameters, executor, name=name, as_json=as_json)
    from penstock_cli import remote_runs

    request = remote_runs.Request(
        *options.flow_name(registered or ""),
        given=given,
        params_file=params_file,
        executor=options.executor_request(executor_type, chosen),
        name=name,
        labels=remote["labels"] or None,
        at=remote["at"],
        key=remote["key"],
    )
    return remote_runs.create(request, wait=bool(remote["wait"]), as_json=as_json)


def _refuse_mixtures(target: str | None, registered: str | None, remote: dict[str, Any]) -> None:
    if (target is None) == (registered is None):
        raise click.UsageError("Name a file, or a registered flow with --flow PROJECT/NAME: one of the two")
    if target is not None:
        for option, word in _REMOTE_ONLY.items():
            if remote[option] not in (None, ()):
                message = f"{word} goes with --flow PROJECT/NAME; a file's flow is run here and now"
                raise click.UsageError(message)


def _executor(flow: "Flow", type_name: str | None, chosen: dict[str, Any]) -> "Executor | None":
    """Return the executor asked for, or None to leave it to flow and settings."""
    if type_name is None and not chosen:
        return None
    from penstock.executors import Executor

    wanted: Any = type_name or flow.executor
    executor: Executor = Executor.resolve(wanted, **chosen) if wanted is not None else Executor.configured(**chosen)
    return executor


def run_here(
    flow: "Flow",
    target: str,
    parameters: dict[str, Any],
    executor: "Executor | None",
    *,
    name: str | None,
    as_json: bool,
) -> int:
    """Run *flow* in this process, show how it goes, and return the exit code."""
    from penstock_cli import watching
    from penstock_cli.narration import without_narration

    quiet = current().quiet
    seen = progress.of_flow(flow, name or flow.name)
    speaks = not as_json and not quiet
    try:
        with printing.apart() if as_json else nullcontext(sys.stdout) as events:
            shown = display.choose(seen, as_json=as_json, quiet=quiet, events=events)
            with without_narration(brief=shown.draws), watching.watched(shown, flow):
                final = flow.run(parameters, executor=executor, run_name=name, run_on_schedule=False)
    except KeyboardInterrupt:
        if speaks and seen.state.is_terminal():
            click.echo(display.summary(seen))
        raise
    if speaks:
        watching.sum_up(flow, final, seen)
        if not final.is_successful():
            click.echo(f"\n  see every line and traceback:   penstock run {target} -v")
    return 0 if final.is_successful() else 1
