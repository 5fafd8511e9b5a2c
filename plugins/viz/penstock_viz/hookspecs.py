"""The hook that this plugin adds for others: further formats of pictures."""

from typing import TYPE_CHECKING

from penstock import hookspec

if TYPE_CHECKING:
    from penstock_viz.graphs import Graph


@hookspec(firstresult=True)
def penstock_render_graph(graph: "Graph", format: str) -> bytes | None:  # noqa: A002 - the term users know
    """Return *graph* drawn in *format* (`svg`, `dot`, `mermaid`, or any other), or None if that is not yours."""
