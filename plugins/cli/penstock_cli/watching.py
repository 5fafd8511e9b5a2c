"""A run in this process, shown while it runs: for `penstock run`, and for `flow.run(progress=True)` anywhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from penstock import hooks
from penstock_cli import display, failures, progress
from penstock_cli.invocation import in_colours
from penstock_cli.narration import without_narration
from penstock_cli.observing import Observer

if TYPE_CHECKING:
    from penstock import Flow
    from penstock.states import State

_terminal: Final = threading.Lock()
"""Held by the run that may draw on the terminal and keep penstock's own log lines from it."""


@contextmanager
def watched(shown: display.Display, flow: "Flow") -> Iterator[None]:
    """Show on *shown* how the next run of *flow* goes that begins in the block."""
    observer = Observer(shown, progress.Widths(flow, shown.progress), flow.name)
    with hooks.observing(observer), shown:
        yield


@contextmanager
def show_progress(flow: "Flow") -> Iterator[None]:
    """Show how a run of *flow* goes that begins in the block, and in the end how it ended."""
    seen = progress.of_flow(flow, flow.name)
    free = _terminal.acquire(blocking=False)
    try:
        if free:
            shown = display.choose(seen, as_json=False, quiet=False, children=False)
            with without_narration(brief=shown.draws), watched(shown, flow):
                yield
        else:
            with watched(display.Lines(seen, children=False), flow):
                yield
    finally:
        if free:
            _terminal.release()
    if seen.state.is_terminal():
        sum_up(flow, seen.state, seen)


def sum_up(flow: "Flow", final: "State", seen: progress.Progress) -> None:
    """Print how a run ended, and if it failed what did and why."""
    if final.is_successful():
        lines = [display.summary(seen, display.task_runs(seen), *_places(flow, final))]
    else:
        headline = f"{display.summary(seen)}: {failures.headline(flow, final)}"
        lines = [headline, *failures.lines(list(failures.explain(flow, final)))]
    for line in lines:
        click.echo(line, color=in_colours())


def _places(flow: "Flow", final: "State") -> list[str]:
    """Return where the flow's last tasks say they have put something, if what they return is a path."""
    states = [(task, final.result[task]) for task in flow.sorted_tasks() if task in flow.terminal_tasks()]
    return [f"{task.name}: {state.result}" for task, state in states if isinstance(state.result, Path)]
