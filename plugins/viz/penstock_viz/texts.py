"""Graphs as text that other programs draw: DOT for Graphviz, and Mermaid.

Names and labels are made by users: each is written so that it is shown as it is, whatever it holds.
"""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock_viz.graphs import Graph, Link, Node

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_FONT: Final = "Helvetica,Arial,sans-serif"
_MANY_LINKS: Final = 1000
_QUICKLY: Final = ", nslimit=1, nslimit1=1, mclimit=0.1"  # a plainer layout in a tenth of the time


def dot(graph: "Graph") -> str:
    """Return *graph* in the language of Graphviz."""
    return "\n".join(_dot_lines(graph)) + "\n"


def mermaid(graph: "Graph") -> str:
    """Return *graph* in the language of Mermaid."""
    return "\n".join(_mermaid_lines(graph)) + "\n"


def _dot_lines(graph: "Graph") -> Iterator[str]:
    yield f"digraph {_dot_text(graph.name)} {{"
    limits = _QUICKLY if len(graph.edges) > _MANY_LINKS else ""
    yield f"  graph [rankdir={'LR' if graph.horizontal else 'TB'}, bgcolor=transparent{limits}]"
    yield f"  node [fontname={_dot_text(_FONT)}, fontsize=12]"
    yield f"  edge [fontname={_dot_text(_FONT)}, fontsize=10]"
    for node in graph.nodes:
        yield f"  {_dot_text(node.id)} [{_dot_attributes(_node_attributes(node))}]"
    for link in graph.edges:
        attributes = _dot_attributes(_link_attributes(link))
        yield f"  {_dot_text(link.source)} -> {_dot_text(link.target)} [{attributes}]"
    yield "}"


def _node_attributes(node: "Node") -> dict[str, str]:
    filled = {"style": "filled", "fillcolor": node.color} if node.color else {}
    tooltip = node.tooltip or node.label
    return {"label": node.label, "shape": node.shape, "tooltip": tooltip, "id": f"task-{node.id}", **filled}


def _link_attributes(link: "Link") -> dict[str, str]:
    return {**({"label": link.label} if link.label else {}), **({"style": "dashed"} if link.dashed else {})}


def _dot_attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={_dot_text(value)}" for name, value in attributes.items())


def _dot_text(text: str) -> str:
    """Return a quoted string; Graphviz reads HTML entities and backslashes even there.

    An empty line becomes a blank: now and then the WebAssembly build traps on a label that begins with one.
    """
    shown = _printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return '"' + "\\n".join(line or " " for line in shown.split("\n")) + '"' if shown else '""'


def _mermaid_lines(graph: "Graph") -> Iterator[str]:
    yield from ("---", f"title: {json.dumps(_printable(graph.name))}", "---")
    yield f"flowchart {'LR' if graph.horizontal else 'TD'}"
    names = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        opening, closing = ("(", ")") if node.shape == "ellipse" else ("[", "]")
        yield f"  {names[node.id]}{opening}{_mermaid_text(node.label)}{closing}"
    for link in graph.edges:
        arrow = "-.->" if link.dashed else "-->"
        label = f"|{_mermaid_text(link.label)}|" if link.label else ""
        yield f"  {names[link.source]} {arrow}{label} {names[link.target]}"
    yield from (f"  style {names[node.id]} fill:{node.color}" for node in graph.nodes if _is_color(node.color))


def _mermaid_text(text: str) -> str:
    """Return a quoted string, with whatever Mermaid or HTML could take for markup as character codes."""
    shown = re.sub(r"[^\w\s.,:()\[\]{}/+=-]", lambda match: f"#{ord(match[0])};", _printable(text))
    return '"' + shown.replace("\n", "<br/>") + '"'


def _is_color(color: str | None) -> bool:
    return color is not None and re.fullmatch("#[0-9a-fA-F]{6,8}", color) is not None


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))
