"""`penstock runs`."""

import getpass
import re
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from penstock import clock, errors
from penstock.backends.models import Document
from penstock_cli import display, following, options, printing, remote_runs
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend
from penstock_cli.printing import Cell

if TYPE_CHECKING:
    from penstock.backends import Backend
    from penstock.backends.models import FlowRun, Log

_PAGE: Final = 1000
_TICK_SECONDS: Final = 0.5
_SHOWN: Final = 60
_INDEX: Final = re.compile(r"\[\d+\]$")
_RUN: Final = "RUN is the name of a run or its id."


@click.group(cls=Group, examples=["penstock runs list --state Failed", "penstock runs logs brisk-otter --follow"])
def runs() -> None:
    """List, show, follow, cancel, restart and delete flow runs."""


@runs.command(
    "list",
    backend=True,
    examples=["penstock runs list", "penstock runs list --flow tutorial/census --state Failed --json"],
)
@click.option("--project", help="Only runs of flows in this project.")
@click.option("--flow", metavar="PROJECT/NAME", help="Only runs of this flow.")
@click.option("--state", help="Only runs in this type of state: Scheduled, Late, Running, Success, Failed, …")
@options.as_json
@options.limit(20)
def list_(*, project: str | None, flow: str | None, state: str | None, as_json: bool, limit: int) -> None:
    """List runs, the newest first."""
    project, name = options.flow_name(flow) if flow is not None else (project, None)
    found = open_backend().list_flow_runs(project, name, state=state, limit=limit)
    rows = [
        (
            one.name,
            f"{one.project}/{one.flow}",
            printing.state_of(one),
            printing.moment(one.start_time or one.scheduled_time),
            printing.between(one.start_time, one.end_time),
        )
        for one in found
    ]
    printing.print_records(found, ("RUN", "FLOW", "STATE", "START", "TOOK"), rows, as_json=as_json)


@runs.command(
    backend=True, examples=["penstock runs show brisk-otter", "penstock runs show brisk-otter --json"], epilog=_RUN
)
@click.argument("run")
@options.as_json
def show(run: str, *, as_json: bool) -> None:
    """Show a run: its state, parameters and times, and how its tasks are."""
    backend = open_backend()
    found = backend.get_flow_run(run)
    if as_json:
        tasks = [task.model_dump(mode="json") for task in backend.list_task_runs(found.id, limit=1_000_000)]
        printing.print_json({**found.model_dump(mode="json"), "task_runs": tasks})
        return
    printing.print_details(_details(found))
    click.echo()
    printing.print_table(("TASK", "STATES", "TOOK"), task_rows(backend, found))
    for line in following.failure_lines(backend, found):
        click.echo(line)


def _details(run: "FlowRun") -> list[tuple[str, Cell]]:
    return [
        ("run", run.name),
        ("id", run.id),
        ("flow", f"{run.project}/{run.flow}, version {run.version}"),
        ("state", _state(run)),
        ("parameters", ", ".join(f"{name}={value!r}" for name, value in run.parameters.items()) or None),
        ("labels", ", ".join(run.labels) or None),
        ("due", printing.moment(run.scheduled_time)),
        ("start", printing.moment(run.start_time)),
        ("end", printing.moment(run.end_time)),
        ("took", printing.between(run.start_time, run.end_time)),
        ("agent", run.agent),
        ("attempt", str(run.attempt)),
    ]


def _state(run: "FlowRun") -> str:
    late = ", and late" if run.late else ""
    return f"{run.state.type}{late}: {run.state.message}" if run.state.message else f"{run.state.type}{late}"


def task_rows(backend: "Backend", run: "FlowRun") -> list[tuple[Cell, ...]]:
    """Return a row per task, the children of a mapped one counted by state; parameters are shown with the run."""
    spec = backend.get_flow(run.project, run.flow, run.version).spec
    parameters = {parameter["name"] for parameter in spec.get("parameters", ())}
    states: dict[str, Counter[str]] = {}
    took: dict[str, str] = {}
    for task in backend.list_task_runs(run.id, limit=1_000_000):
        counts = states.setdefault(task.slug, Counter())
        if task.map_index is None:
            took[task.slug] = printing.between(task.start_time, task.end_time)
        counts[task.state.type] += 1
    return [(slug, _counted(counts), took.get(slug)) for slug, counts in states.items() if slug not in parameters]


def _counted(counts: Counter[str]) -> Cell:
    if counts.total() > 1:
        children = {name: n for name, n in counts.items() if name != "Mapped"}
        return ", ".join(f"{n} {name}" for name, n in children.items())
    return printing.state(next(iter(counts)))


@runs.command(
    backend=True,
    examples=["penstock runs logs brisk-otter", "penstock runs logs brisk-otter --task 'measure[12]' --follow"],
    epilog=_RUN,
)
@click.argument("run")
@click.option("--task", help="Only lines of this task, measure, or of one child of it, measure[12].")
@click.option("--follow", is_flag=True, help="Go on until the run has ended.")
@options.as_json
@click.option("--limit", type=click.IntRange(min=1), help="Print at most so many lines.  [all]")
def logs(run: str, *, task: str | None, follow: bool, as_json: bool, limit: int | None) -> None:
    """Print what a run has logged; with --json one array, or with --follow a line of JSON for each."""
    backend = open_backend()
    found = backend.get_flow_run(run)
    if as_json and not follow:
        chosen = [log for log in _all_logs(backend, found) if _is_of(log, task)][:limit]
        printing.print_json([log.model_dump(mode="json") for log in chosen])
        return
    position, left = 0, limit
    while True:
        ended = following.state_of(backend.get_flow_run(found.id).state).is_terminal()
        new = backend.list_logs(found.id, after=position, limit=_PAGE)
        position += len(new)
        shown = [log for log in new if _is_of(log, task)][:left]
        for log in shown:
            _print(log, as_json=as_json)
        left = left - len(shown) if left is not None else None
        if left == 0 or (not new and (ended or not follow)):
            return
        if not new:
            _wait_a_little(backend, found)


def _all_logs(backend: "Backend", run: "FlowRun") -> "list[Log]":
    found: list[Log] = []
    while new := backend.list_logs(run.id, after=len(found), limit=_PAGE):
        found.extend(new)
    return found


def _is_of(log: "Log", task: str | None) -> bool:
    return task is None or log.task == task or _INDEX.sub("", log.task or "") == task


def _print(log: "Log", *, as_json: bool) -> None:
    if as_json:
        printing.print_json(log.model_dump(mode="json"))
    else:
        click.echo(display.log_line(log))


def _wait_a_little(backend: "Backend", run: "FlowRun") -> None:
    try:
        backend.wait_for_flow_run(run.id, timeout=_TICK_SECONDS)
    except TimeoutError:
        return


@runs.command(
    backend=True,
    examples=["penstock runs wait brisk-otter", "penstock runs wait brisk-otter --timeout 60 -q"],
    epilog=_RUN,
)
@click.argument("run")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after so long, with exit code 1."
)
@options.as_json
def wait(run: str, *, timeout: float | None, as_json: bool) -> int:
    """Show a run until it ends; ends with 0 if it succeeded and 1 if not."""
    backend = open_backend()
    found = backend.get_flow_run(run)
    if timeout is None:
        return remote_runs.watch(backend, found, as_json=as_json)
    try:
        backend.wait_for_flow_run(found.id, timeout)
    except TimeoutError:
        if as_json:
            printing.print_json(backend.get_flow_run(found.id).model_dump(mode="json"))
        else:
            printing.say(f"{found.name} has not ended after {timeout:g} s")
        return 1
    return remote_runs.watch(backend, found, as_json=as_json)


@runs.command(backend=True, examples="penstock runs cancel brisk-otter", epilog=_RUN)
@click.argument("run")
def cancel(run: str) -> None:
    """End a run: at once if it has not begun, else through its agent."""
    found = open_backend().cancel_flow_run(run)
    printing.say(f"{found.name} is {found.state.type}")


@runs.command(
    backend=True,
    examples=[
        "penstock runs restart brisk-otter",
        "penstock runs restart brisk-otter --from measure --dry-run",
    ],
    epilog=_RUN,
)
@click.argument("run")
@click.option(
    "--from", "tasks", metavar="TASK", multiple=True, help="Run TASK and what follows it again, even if it succeeded."
)
@click.option("--dry-run", is_flag=True, help="Show the plan, and change nothing.")
@options.as_json
def restart(run: str, *, tasks: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Run again what did not succeed, with the results of what did.

    The plan is printed first: which task runs are used again, if their results can still be read, and which are made
    again.
    """
    backend = open_backend()
    plan = backend.restart_flow_run(run, tasks=tasks, plan_only=dry_run)
    if as_json:
        printing.print_json(plan.model_dump(mode="json"))
        return
    slugs = dict.fromkeys([*plan.reused, *plan.again])
    printing.print_table(
        ("TASK", "USED AGAIN", "RUN AGAIN"),
        [(slug, str(plan.reused.get(slug, "")), str(plan.again.get(slug, ""))) for slug in slugs],
    )
    did = "would be restarted" if dry_run else f"is {plan.run.state.type}, attempt {plan.run.attempt}"
    printing.say(f"{plan.run.name} {did}")


@runs.command(
    backend=True,
    examples=["penstock runs note brisk-otter 'the source was down'", "penstock runs note brisk-otter"],
    epilog=_RUN,
)
@click.argument("run")
@click.argument("text", required=False)
@options.as_json
def note(run: str, text: str | None, *, as_json: bool) -> None:
    """Add a note to a run, or print what was noted."""
    backend = open_backend()
    if text:
        moment = clock.now().isoformat()
        data = {"text": text, "author": getpass.getuser()}
        backend.put_document(Document(kind="note", scope=run, name=moment, data=data))
        printing.say(f"Noted at {run}")
        return
    found = backend.list_documents("note", run)
    rows = [(printing.moment(one.updated), one.data["author"], one.data["text"]) for one in found]
    printing.print_records(found, ("WHEN", "WHO", "NOTE"), rows, as_json=as_json)


@runs.command(
    backend=True,
    examples=["penstock runs artifacts brisk-otter", "penstock runs artifacts brisk-otter --json"],
    epilog=_RUN,
)
@click.argument("run")
@options.as_json
@options.limit(200)
def artifacts(run: str, *, as_json: bool, limit: int) -> None:
    """List what a run made for people to look at: links, texts, tables, images, progress."""
    found = open_backend().list_documents("artifact", run, limit=limit)
    rows = [(one.name, one.data["type"], one.data.get("task"), _artifact(one.data)) for one in found]
    printing.print_records(found, ("ARTIFACT", "TYPE", "TASK", "CONTENT"), rows, as_json=as_json)


def _artifact(data: dict[str, Any]) -> str:
    if data["type"] == "table":
        return f"{len(data['rows'])} rows of {', '.join(data['columns'])}"
    if data["type"] == "progress":
        return f"{data['progress']:.0f} %"
    return textwrap.shorten(str(data[data["type"]]), _SHOWN, placeholder=" …")


@runs.command(backend=True, examples="penstock runs approve brisk-otter", epilog=_RUN)
@click.argument("run")
@click.option("-m", "--message", default="Approved", show_default=True, help="Why, for its history.")
def approve(run: str, *, message: str) -> None:
    """Let a run go on that waits for somebody: one that is Paused."""
    backend = open_backend()
    found = backend.get_flow_run(run)
    if found.state.type != "Paused":
        raise errors.ConflictError(f'Run "{found.name}" is {found.state.type}; only one that is Paused is approved')
    resumed = backend.set_state(found.id, {"type": "Resume", "message": message})
    printing.say(f"{resumed.name} goes on when an agent takes it")


@runs.command(
    "set-state",
    backend=True,
    examples=[
        "penstock runs set-state brisk-otter Success -m 'done by hand'",
        "penstock runs set-state brisk-otter Success --task 'measure[12]'",
    ],
    epilog=_RUN,
)
@click.argument("run")
@click.argument("state", metavar="STATE")
@click.option("--task", help="Of this task, measure, or of one child of it, measure[12]; not of the run.")
@click.option("-m", "--message", default="Set by hand", show_default=True, help="Why, for its history.")
def set_state(run: str, state: str, *, task: str | None, message: str) -> None:
    """Set the state of a run, or of a task of a run that is not under way.

    A run that is ended so while it is under way is stopped. A task that is set to Success has no value, and is not
    run when the run is restarted.
    """
    found = open_backend().set_state(run, {"type": state, "message": message}, task=task)
    printing.say(f"{task} of {found.name} is {state}" if task else f"{found.name} is {found.state.type}")


@runs.command(backend=True, examples="penstock runs delete brisk-otter", epilog=_RUN)
@click.argument("run")
def delete(run: str) -> None:
    """Delete a run that has ended or not begun, with its task runs and logs."""
    backend = open_backend()
    found = backend.get_flow_run(run)
    backend.delete_flow_run(found.id)
    printing.say(f"Deleted {found.name} of {found.project}/{found.flow}")
