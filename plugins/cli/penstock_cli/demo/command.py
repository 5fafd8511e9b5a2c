"""`penstock demo`: a real flow through every part, in a folder of its own."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from penstock import errors, settings
from penstock_cli import display, flow_files, following, printing, progress
from penstock_cli.groups import Command
from penstock_cli.invocation import current, open_backend

if TYPE_CHECKING:
    from penstock import Flow
    from penstock.backends import Backend
    from penstock.backends.models import FlowRun
    from penstock.states import State

_PROJECT: Final = "demo"
_AGENT_LOG: Final = "agent.log"
_PATIENCE_SECONDS: Final = 10
"""How long the agent has to end after it was told to."""


@click.command(cls=Command, examples=["penstock demo", "penstock demo --folder /tmp/census --limit 100"])
@click.option("--folder", type=click.Path(path_type=Path), help="Work in this new folder.  [./penstock-demo]")
@click.option("--limit", type=click.IntRange(min=1), help="Read at most so many files of the library.  [all]")
def demo(*, folder: Path | None, limit: int | None) -> int:
    """Run a real flow through every part of penstock.

    The flow is a census of the standard library's own source. It is registered with a backend, stored, claimed by an
    agent, run on several processes and recorded, all in a folder of its own: your settings and data stay untouched.
    """
    place = _fresh(folder)
    script = place / "census.py"
    shutil.copyfile(Path(__file__).with_name("census.py"), script)
    home = place / "home"
    with settings.override(_embedded(home)):
        flow = flow_files.load_one(str(script))
        run, ended = _go(flow, place, home, limit)
        _report(flow, run, place, home)
    return 0 if ended.is_successful() else 1


def _fresh(folder: Path | None) -> Path:
    """Make and return the folder to work in; raises SettingsError if the one that was named holds something."""
    if folder is None:
        names = ("penstock-demo", *(f"penstock-demo-{number}" for number in range(2, 1000)))
        folder = next(Path(name) for name in names if not Path(name).exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"The folder {folder} cannot be made: {error.strerror or error}. Choose another: --folder DIR"
        raise errors.SettingsError(message) from error
    if any(folder.iterdir()):
        message = f"The folder {folder} is not empty; the demo wants a new one. Choose another: --folder DIR"
        raise errors.SettingsError(message)
    return folder.absolute()


def _embedded(home: Path) -> dict[str, Any]:
    """Return settings under which everything stays below *home*."""
    return {
        "home": str(home),
        "backend": f"sqlite:///{home / 'penstock.db'}",
        "storage": "local",
        "executor": "in-process",
        "logging": {"level": "DEBUG" if current().verbose else "WARNING"},
    }


def _go(flow: "Flow", place: Path, home: Path, limit: int | None) -> "tuple[FlowRun, State]":
    """Register the flow, ask for a run of it, and watch an agent run it."""
    flow.register(_PROJECT)
    backend = open_backend()
    registered = backend.get_flow(_PROJECT, flow.name)
    _step(
        f"registered {_PROJECT}/{flow.name}, version {registered.version}, its source stored in {_near(home / 'flows')}"
    )
    parameters = {"folder": str(place), "limit": limit}
    run = backend.create_flow_run(_PROJECT, flow.name, parameters=parameters, executor={"type": "processes"})
    _step(f"created the run {click.style(run.name, bold=True)}")
    seen = progress.of_spec(registered.spec, run.name)
    shown = display.choose(seen, as_json=False, quiet=current().quiet, children=False)
    with _agent(place, home) as agent:
        _step("started an agent, which claims it")
        ended = following.Follower(backend, run, shown, lambda: _check(agent, place)).follow()
    if not current().quiet:
        following.sum_up(backend, ended, seen)
    return ended, following.state_of(ended.state)


@contextmanager
def _agent(place: Path, home: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run an agent of its own beside the block, and end it afterwards."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    environment |= {"PENSTOCK_HOME": str(home), "PENSTOCK_BACKEND": f"sqlite:///{home / 'penstock.db'}"}
    command = [sys.executable, "-m", "penstock_cli", "agent", "start", "--name", _PROJECT]
    with (place / _AGENT_LOG).open("wb") as log:
        agent = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=environment,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt is ours to pass on, once
        )
        try:
            yield agent
        finally:
            _end(agent)


def _end(agent: "subprocess.Popen[bytes]") -> None:
    agent.send_signal(signal.SIGTERM)
    try:
        agent.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()


def _check(agent: "subprocess.Popen[bytes]", place: Path) -> None:
    """Raise BackendError with the agent's last words if it has ended."""
    if agent.poll() is None:
        return
    words = (place / _AGENT_LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    message = "\n".join([f"The agent ended with exit code {agent.returncode}. Its last words:", *words])
    raise errors.BackendError(message)


def _report(flow: "Flow", run: "FlowRun", place: Path, home: Path) -> None:
    """Print how each task ended, where the results are, and what to try next."""
    from penstock_cli.commands import runs

    backend = open_backend()
    picture = _draw(flow, backend, run, place / "flow.svg")
    if current().quiet:
        return
    click.echo()
    printing.print_table(("TASK", "STATES", "TOOK"), runs.task_rows(backend, run))
    click.echo()
    found = {
        "report": place / "census.html",
        "table": place / "census.csv",
        "picture": picture,
        "results": home / "results",
    }
    printing.print_details([(name, _near(path)) for name, path in found.items() if path is not None and path.exists()])
    click.echo("\nTry next:")
    prefix = f"PENSTOCK_HOME={shlex.quote(_near(home))} {_command()}"
    for words in (f"runs show {run.name}", f"flows show {_PROJECT}/{flow.name}"):
        click.echo(f"  {prefix} {words}")
    click.echo(
        f"  {prefix} run {shlex.quote(_near(place / 'census.py'))} -p limit=50 -p folder={shlex.quote(_near(place))}"
    )


def _draw(flow: "Flow", backend: "Backend", run: "FlowRun", path: Path) -> Path | None:
    """Draw the flow in the colours of its tasks' states; without a plugin that draws, say so and return None."""
    try:
        flow.visualize(_flow_state(flow, backend, run), filename=path)
    except errors.PluginError as error:
        click.echo(f"The flow is not drawn: {error}", err=True)
        return None
    return path


def _flow_state(flow: "Flow", backend: "Backend", run: "FlowRun") -> "State":
    """Return the final state of a run with the states of its tasks, from the backend's records."""
    final = following.state_of(run.state)
    known = {task.slug: following.state_of(task.state) for task in _parents(backend, run)}
    states: Mapping[Any, State] = {task: known[slug] for task, slug in flow.slugs.items() if slug in known}
    final.result = states
    return final


def _parents(backend: "Backend", run: "FlowRun") -> Iterator[Any]:
    return (task for task in backend.list_task_runs(run.id, limit=1_000_000) if task.map_index is None)


def _step(text: str) -> None:
    if not current().quiet:
        click.echo(f"{click.style('●', fg='blue')} {text}")


def _near(path: Path) -> str:
    """Return *path* as it is named from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _command() -> str:
    """Return what to type for this command: its name, or its path where the name would not be found."""
    here = Path(sys.executable).with_name("penstock")
    found = shutil.which("penstock")
    if found is not None and Path(found) == here:
        return "penstock"
    return shlex.quote(_near(here)) if here.exists() else f"{shlex.quote(sys.executable)} -m penstock_cli"
