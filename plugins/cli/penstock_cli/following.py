"""Following a run that goes on elsewhere, through what the backend is told of it."""

import contextlib
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from penstock import clock
from penstock.states import State
from penstock_cli import display, failures
from penstock_cli.progress import Change, Progress

if TYPE_CHECKING:
    from datetime import datetime

    from penstock.backends import Backend
    from penstock.backends.models import FlowRun, StateRecord, TaskRun

_TICK_SECONDS: Final = 0.3
_LEISURE: Final = 5
"""How many times as long as looking took to wait before looking again: a large run is looked at less often."""
_EVERYTHING: Final = 1_000_000


class Follower:
    """Hands what is new of a run to a display."""

    def __init__(
        self, backend: "Backend", run: "FlowRun", shown: display.Display, check: Callable[[], None] = lambda: None
    ) -> None:
        """Follow *run*; *check* is called now and then, and may raise to end it."""
        self._backend = backend
        self._run = run
        self._display = shown
        self._check = check
        self._states = 0
        self._seen: dict[tuple[str, int | None], datetime] = {}
        self._logs = 0

    def follow(self) -> "FlowRun":
        """Show the run until it has ended, and return it as it then is."""
        with self._display:
            begun = clock.monotonic()
            while not self.poll():
                self._check()
                self._wait(max(_TICK_SECONDS, _LEISURE * (clock.monotonic() - begun)))
                begun = clock.monotonic()
        return self._run

    def _wait(self, seconds: float) -> None:
        """Return once the run has ended, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            self._backend.wait_for_flow_run(self._run.id, timeout=seconds)

    def poll(self) -> bool:
        """Show what is new, and return whether the run had ended before that was read."""
        self._run = self._backend.get_flow_run(self._run.id)
        states = self._backend.list_states(self._run.id)
        tasks = self._backend.list_task_runs(self._run.id, limit=_EVERYTHING)
        ended = state_of(self._run.state).is_terminal()
        last = states[self._states :] if ended else []
        for record in () if ended else states[self._states :]:
            self._display.take(Change(state_of(record), record.timestamp))
        self._show_tasks(tasks)
        self._show_logs()
        for record in last:  # a run's end is shown after those of its tasks
            self._display.take(Change(state_of(record), record.timestamp))
        self._states = len(states)
        return ended

    def _show_tasks(self, tasks: "list[TaskRun]") -> None:
        for task in tasks:
            key = (task.slug, task.map_index)
            if self._seen.get(key) != task.state.timestamp:
                self._seen[key] = task.state.timestamp
                self._display.take(change_of(task))

    def _show_logs(self) -> None:
        from penstock.logs import NARRATION

        new = self._backend.list_logs(self._run.id, after=self._logs, limit=_EVERYTHING)
        self._logs += len(new)
        for log in new:
            if log.logger != NARRATION:
                self._display.log(log)


def change_of(task: "TaskRun") -> Change:
    """Return the state a task run is in, as a change of state."""
    name = task.name.removesuffix(f"[{task.map_index}]")
    return Change(state_of(task.state), task.state.timestamp, task.slug, name, task.map_index, task.attempt)


def state_of(record: "StateRecord") -> State:
    """Return the state that a backend's record stands for."""
    return State.deserialize({**record.data, "type": record.type, "message": record.message})


class Listeners:
    """Says on standard error, once, how to start an agent, if none that may take a run has asked for work lately."""

    def __init__(self, backend: "Backend", run: "FlowRun", progress: Progress) -> None:
        """Look out for agents as long as *run* has not begun."""
        self._backend = backend
        self._run = run
        self._progress = progress
        self._said = False

    def check(self) -> None:
        """Say it if it is so."""
        if not self._said and self._progress.start is None and not _is_listening(self._backend, self._run):
            self._said = True
            click.echo(_nobody(self._run), file=sys.stderr)


def _is_listening(backend: "Backend", run: "FlowRun") -> bool:
    from penstock import settings

    lease = settings.get().agent.lease_seconds
    now, wanted = clock.now(), set(run.labels)
    for agent in backend.list_agents():
        fits = wanted <= set(agent.labels) if wanted else not agent.labels
        if fits and (now - agent.last_seen).total_seconds() <= lease:
            return True
    return False


def _nobody(run: "FlowRun") -> str:
    labels = "".join(f" --label {label}" for label in sorted(run.labels))
    return f"No agent that may take {run.name} has asked for work lately. Start one: penstock agent start{labels}"


def sum_up(backend: "Backend", run: "FlowRun", progress: Progress) -> None:
    """Print how a run ended, and if it failed what did and where to look."""
    if progress.outcome == "success":
        click.echo(display.summary(progress, display.task_runs(progress)))
        return
    click.echo(f"{display.summary(progress)}: {run.state.message}")
    for line in failure_lines(backend, run):
        click.echo(line)


def failure_lines(backend: "Backend", run: "FlowRun") -> list[str]:
    """Return which tasks of a failed run failed, why and where, and what shows more; nothing of another run."""
    if not state_of(run.state).is_failed():
        return []
    failed = [task for task in backend.list_task_runs(run.id, limit=_EVERYTHING) if _has_raised(task)]
    task = f" --task {shlex.quote(named(failed[0]))}" if failed else ""
    shown = failures.lines([_failure(task) for task in failed])
    hints = [f"  rerun only what failed:   penstock runs restart {run.name}"]
    return [*shown, "", *hints, f"  look inside:              penstock runs logs {run.name}{task}"]


def named(task: "TaskRun") -> str:
    """Return the name of a task run, with the index of a child."""
    return change_of(task).name or task.name


def _has_raised(task: "TaskRun") -> bool:
    state = state_of(task.state)
    return state.is_failed() and state.type != "TriggerFailed"


def _failure(task: "TaskRun") -> failures.Failure:
    exception: dict[str, Any] | None = task.state.data.get("exception")
    where, source = failures.place(exception)
    return failures.Failure(named(task), task.state.message or task.state.type, where, source)
