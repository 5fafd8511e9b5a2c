"""A flow as a picture: one node a task, one arrow a dependency."""

from typing import TYPE_CHECKING

from penstock.edges import Binding
from penstock.graph import Graph, Link, Node
from penstock.states import Mapped, State

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock.tasks import Task


def draw(flow: "Flow", flow_state: State | None = None, *, horizontal: bool = False) -> Graph:
    """Return the graph of *flow*; with *flow_state* in the colours of its tasks' states."""
    states = flow_state.result if flow_state is not None else {}
    slugs = flow.slugs
    nodes = [_node(flow, task, slug, states.get(task)) for task, slug in slugs.items()]
    links = [
        Link(slugs[edge.upstream_task], slugs[edge.downstream_task], label=edge.key, dashed=edge.mapped)
        for edge in sorted(flow.edges, key=lambda e: (slugs[e.upstream_task], slugs[e.downstream_task], e.key or ""))
    ]
    return Graph(flow.name, tuple(nodes), tuple(links), horizontal=horizontal)


def _node(flow: "Flow", task: "Task", slug: str, state: State | None) -> Node:
    mapped = (flow._bindings[task] or Binding()).is_mapped()  # noqa: SLF001 - the graph's own picture
    label = f"{task.name} <map>" if mapped else task.name
    if isinstance(state, Mapped):
        label = f"{task.name} <{state.n_map_states}>"
    color = f"{_worst(state).color}80" if state is not None else None
    tooltip = f"{slug}: {state.type}" if state is not None else slug
    return Node(slug, label, shape="box" if mapped else "ellipse", color=color, tooltip=tooltip)


def _worst(state: State) -> State:
    """Return the state to show for a mapped task: that of a failed child if there is one."""
    if not isinstance(state, Mapped):
        return state
    odd = getattr(state.map_states, "odd", {})
    return next((child for child in odd.values() if child.is_failed()), state)
