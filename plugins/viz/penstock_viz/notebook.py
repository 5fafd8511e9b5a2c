"""What notebooks show of states and graphs: small pieces of HTML, in which every text is escaped."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from penstock.states import Mapped, State

if TYPE_CHECKING:
    from penstock_viz.graphs import Graph

MOST: Final = 200
"""How many tasks are shown at most."""
_STYLE: Final = "color: {color}; border: 1px solid {color}; border-radius: 3px; padding: 0 0.4em"


def state_html(state: State) -> str:
    """Return a state's badge and message; below, where its result holds the states of tasks, a table of them."""
    head = f"<p>{_badge(state)} {escape(state.message or '')}</p>"
    states = state.result if isinstance(state.result, Mapping) else {}
    if not states or not all(isinstance(one, State) for one in islice(states.values(), MOST)):
        return head
    return head + _table(
        ("task", "state", "message"), [_row(task, states[task]) for task in _chosen(states)], len(states)
    )


def graph_html(graph: "Graph") -> str:
    """Return the picture of *graph* or, where it is too large, a table of its nodes and what points to each."""
    if len(graph.nodes) <= MOST:
        from penstock_viz import pictures

        text = pictures.svg(graph).decode()
        return text[max(text.find("<svg"), 0) :]
    labels, sources = {node.id: node.label for node in graph.nodes}, dict[str, dict[str, None]]()
    for link in graph.edges:
        sources.setdefault(link.target, {})[labels[link.source]] = None
    rows = [(escape(node.label), escape(", ".join(sources.get(node.id, ())))) for node in graph.nodes[:MOST]]
    return f"<p>{escape(graph.name)}</p>{_table(('task', 'waits for'), rows, len(graph.nodes))}"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], number: int) -> str:
    """Return a table of *rows*, whose cells are HTML, with a line that says how many of *number* are left out."""
    shown = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    head = "".join(f"<th>{header}</th>" for header in headers)
    more = f"<p>… and {number - len(shown)} more</p>" if number > len(shown) else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(shown)}</tbody></table>{more}"


def _chosen(states: Mapping[Any, State]) -> list[Any]:
    """Return the tasks to show: all in their order or, where they are too many, first those that did not succeed."""
    if len(states) <= MOST:
        return list(states)
    bad = [task for task, state in _odd(states).items() if not _worst(state).is_successful()]
    return [*bad, *(task for task in islice(states, MOST) if task not in set(bad[:MOST]))][:MOST]


def _row(task: Any, state: State) -> tuple[str, str, str]:
    name, counts = escape(str(getattr(task, "name", task))), ""
    if isinstance(state, Mapped):
        counts = " " + (", ".join(f"{number} {kind}" for kind, number in _counts(state).items()) or "no children")
    return name, f"{_badge(state, _worst(state))}{escape(counts)}", escape(state.message or "")


def _counts(state: Mapped) -> dict[str, int]:
    """Return how many children are in each type of state, without walking over those that are plain successes."""
    if not state.map_states:
        return {"children": state.n_map_states} if state.n_map_states else {}
    odd = _odd(state.map_states)
    counts = Counter({"Success": len(state.map_states) - len(odd)})
    counts.update(one.type for one in odd.values())
    return {kind: number for kind, number in counts.items() if number}


def _odd(states: Any) -> Mapping[Any, State]:
    """Return the states that are not plain successes, by task or index, as a run keeps them; else all of *states*."""
    odd: Mapping[Any, State] | None = getattr(states, "odd", None)
    if odd is not None:
        return odd
    return states if isinstance(states, Mapping) else dict(enumerate(states))


def _worst(state: State) -> State:
    """Return the state whose colour to show for a task: that of a child that did not succeed, if there is one."""
    children = _odd(state.map_states).values() if isinstance(state, Mapped) else ()
    return next((child for child in children if not child.is_successful()), state)


def _badge(state: State, colored: State | None = None) -> str:
    style = _STYLE.format(color=escape((colored or state).color))
    return f'<span style="{style}">{escape(state.type)}</span>'
