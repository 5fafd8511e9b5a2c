"""What this plugin does: draws graphs."""

from typing import TYPE_CHECKING

from penstock import hookimpl

if TYPE_CHECKING:
    from penstock.graph import Graph


@hookimpl
def penstock_render_graph(graph: "Graph", format: str) -> bytes | None:  # noqa: A002 - the hook's own name
    """Draw SVG, DOT and Mermaid."""
    if format == "svg":
        from penstock_viz import pictures

        return pictures.svg(graph)
    if format in ("dot", "mermaid"):
        from penstock_viz import texts

        return (texts.dot if format == "dot" else texts.mermaid)(graph).encode()
    return None
