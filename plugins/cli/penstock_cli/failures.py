"""Why a run failed, for the person who ran it: in the words of the flow, with the values that were at hand.

Values are shown on this side only; a backend never gets them.
"""

import linecache
import reprlib
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from penstock.redaction import hidden
from penstock.states import Mapped, Paused, State, TriggerFailed

if TYPE_CHECKING:
    from penstock import Flow, Task
    from penstock.edges import Edge

SHOWN: Final = 5
_LONGEST_VALUE: Final = 120
_LIBRARY: Final = sysconfig.get_path("stdlib")


@dataclass(frozen=True, slots=True)
class Failure:
    """A task run that failed: its name and message, where it raised, and what it was given."""

    name: str
    message: str
    place: str = ""
    source: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)


def headline(flow: "Flow", final: State) -> str:
    """Return what failed, in a line: `1 of 200 measure failed, report not run`; or what the run waits for."""
    said = [] if final.is_finished() else [f"{name} waits for somebody to let it go on" for name in _paused(final)]
    for task, state in _of_interest(flow, final):
        children = _failed_children(state)
        if children:
            said.append(f"{len(children)} of {len(state.map_states)} {task.name} failed")
        elif isinstance(state, TriggerFailed):
            said.append(f"{task.name} not run")
        else:
            said.append(f"{task.name} failed")
    if len(said) > SHOWN:
        said = [*said[:SHOWN], f"and {len(said) - SHOWN} tasks more"]
    return ", ".join(said) or str(final.message)


def explain(flow: "Flow", final: State) -> Iterator[Failure]:
    """Yield what raised or was refused, tasks that were not run because of it left out."""
    for task, state in _of_interest(flow, final):
        children = _failed_children(state)
        for index in children:
            yield _failure(flow, final, task, state.map_states[index], index)
        if not children and not isinstance(state, TriggerFailed):
            yield _failure(flow, final, task, state, None)


def lines(failures: list[Failure]) -> Iterator[str]:
    """Yield the text of the first few failures, and how many more there are."""
    for failure in failures[:SHOWN]:
        yield ""
        name, where = click.style(failure.name, bold=True), click.style(failure.place, dim=True)
        yield f"  {name}  {failure.message}        {where}".rstrip()
        if failure.source:
            yield f"      {failure.source}"
        if failure.inputs:
            yield "  inputs: " + ", ".join(f"{name}={value}" for name, value in failure.inputs.items())
    if len(failures) > SHOWN:
        yield ""
        yield f"  and {len(failures) - SHOWN} more"


def place(exception: Mapping[str, Any] | None, home: str | None = None) -> tuple[str, str]:
    """Return where an exception was raised, as `file:line in function`, and that line's source.

    That is the last frame in the file *home*, where the user's own code is, or else the last outside Python's library.
    """
    frames = (exception or {}).get("frames") or []
    own = [frame for frame in frames if frame["file"] == home]
    others = [frame for frame in frames if not frame["file"].startswith(_LIBRARY)]
    if not (own or others):
        return "", ""
    frame = (own or others)[-1]
    source = linecache.getline(frame["file"], frame["line"]).strip()
    return f"{Path(frame['file']).name}:{frame['line']} in {frame['function']}", source


def _of_interest(flow: "Flow", final: State) -> "list[tuple[Task, Any]]":
    states = final.result if isinstance(final.result, Mapping) else {}
    ordered = [(task, states[task]) for task in flow.sorted_tasks() if task in states]
    return [(task, state) for task, state in ordered if state.is_failed() or _failed_children(state)]


def _paused(final: State) -> Iterator[str]:
    states = final.result if isinstance(final.result, Mapping) else {}
    return (task.name for task, state in states.items() if isinstance(state, Paused))


def _failed_children(state: State) -> list[int]:
    if not isinstance(state, Mapped):
        return []
    return [index for index, child in enumerate(state.map_states) if child.is_failed()]


def _failure(flow: "Flow", final: State, task: "Task", state: State, index: int | None) -> Failure:
    from penstock.storage.scripts import script_of

    where, source = place((state.context or {}).get("exception"), script_of(flow))
    name = task.name if index is None else f"{task.name}[{index}]"
    return Failure(name, state.message or state.type, where, source, dict(_inputs(flow, final, task, index)))


def _inputs(flow: "Flow", final: State, task: "Task", index: int | None) -> Iterator[tuple[str, str]]:
    for edge in sorted(flow.edges_to(task), key=lambda edge: edge.key or ""):
        if edge.key is not None:
            yield edge.key, _short(_passed(final, edge, index))
    for name, value in flow.constants[task].items():
        yield name, _short(value)


def _passed(final: State, edge: "Edge", index: int | None) -> Any:
    value = final.result[edge.upstream_task].result
    if not edge.mapped or index is None:
        return value
    items = [item for inner in value for item in inner] if edge.flattened else value
    return items[index]


def _short(value: Any) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = _LONGEST_VALUE
    return short.repr(hidden(value))  # first, as nobody knows a secret by its half
