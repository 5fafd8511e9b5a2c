"""A flow's picture as data: nodes and links, drawn by whichever plugin knows the format that is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from penstock import errors
from penstock.edges import Binding
from penstock.hooks import calls, lookup
from penstock.states import Mapped, State

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock.tasks import Task

_DRAWN_BY: Final = "penstock-viz"
_FORMATS: Final = ("dot", "mermaid", "svg")
_ENDINGS: Final = {"gv": "dot", "mmd": "mermaid"}


@dataclass(frozen=True, slots=True)
class Node:
    """A node, with the text to show in it and the text to show when it is pointed at.

    *color* is a hex colour with or without opacity (`#28a74580`), or None for none.
    """

    id: str
    label: str
    shape: Literal["ellipse", "box"] = "ellipse"
    color: str | None = None
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow from the node *source* to the node *target*, by id."""

    source: str
    target: str
    label: str | None = None
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and links; *horizontal* runs from left to right instead of downwards. Notebooks show it as a picture."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Link, ...]
    horizontal: bool = False

    def render(self, format: str = "svg") -> bytes:  # noqa: A002 - the term users know
        """Return the picture in *format*: `svg`, `dot`, `mermaid`, or what else a plugin draws.

        Raises PluginMissingError saying what to install, or UnknownTypeError if nobody is known to draw it.
        """
        drawn = calls.render_graph(self, format)
        if drawn is None:
            raise _nobody_draws(format)
        return drawn

    def save(self, path: str | Path, format: str | None = None) -> Path:  # noqa: A002 - as above
        """Write the picture to *path* in *format*, by default the one that the ending names; return the path."""
        path = Path(path)
        ending = path.suffix.removeprefix(".").lower()
        path.write_bytes(self.render(format or _ENDINGS.get(ending, ending)))
        return path

    def _repr_svg_(self) -> str:
        return self.render("svg").decode()


def _nobody_draws(format: str) -> errors.PluginError:  # noqa: A002 - as above
    if format not in _FORMATS:
        hint = errors.did_you_mean(format, _FORMATS)
        known = errors.listing(_FORMATS)
        return errors.UnknownTypeError(f'No plugin draws a graph as "{format}".{hint} {_DRAWN_BY} draws {known}.')
    return lookup.missing("Drawing a graph needs", _DRAWN_BY)


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
