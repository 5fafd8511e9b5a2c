"""A flow's picture as data: nodes and links, drawn by whichever plugin knows the format that is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from penstock import errors, hooks
from penstock.states import Mapped, State

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock.tasks import Task

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

        Raises UnknownTypeError if no plugin draws it.
        """
        for _, drawing in hooks.implementations("penstock_render_graph"):
            drawn: bytes | None = drawing(graph=self, format=format)
            if drawn is not None:
                return drawn
        hint = errors.did_you_mean(format, _FORMATS)
        known = errors.listing(_FORMATS)
        raise errors.UnknownTypeError(f'No plugin draws a graph as "{format}".{hint} penstock-viz draws {known}.')

    def save(self, path: str | Path, format: str | None = None) -> Path:  # noqa: A002 - as above
        """Write the picture to *path* in *format*, by default the one that the ending names; return the path.

        A path without an ending gets that of the format, `svg` unless another is given.
        """
        path = Path(path)
        path = path if path.suffix else path.with_suffix(f".{format or 'svg'}")
        ending = path.suffix.removeprefix(".").lower()
        path.write_bytes(self.render(format or _ENDINGS.get(ending, ending)))
        return path

    def _repr_svg_(self) -> str:
        return self.render("svg").decode()


def draw(flow: "Flow", flow_state: State | None = None, *, horizontal: bool = False) -> Graph:
    """Return the graph of *flow*; with *flow_state* in the colours of its tasks' states."""
    states = flow_state.result if flow_state is not None else {}
    slugs = flow.slugs
    nodes = [_node(task, slug, states.get(task), mapped=flow.is_mapped(task)) for task, slug in slugs.items()]
    links = [
        Link(slugs[edge.upstream_task], slugs[edge.downstream_task], label=edge.key, dashed=edge.mapped)
        for edge in sorted(flow.edges, key=lambda e: (slugs[e.upstream_task], slugs[e.downstream_task], e.key or ""))
    ]
    return Graph(flow.name, tuple(nodes), tuple(links), horizontal=horizontal)


def _node(task: "Task", slug: str, state: State | None, *, mapped: bool) -> Node:
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
