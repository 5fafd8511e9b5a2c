"""What this plugin does: draws graphs, and shows them and states in notebooks."""

from typing import TYPE_CHECKING

from penstock import hookimpl

if TYPE_CHECKING:
    from penstock.graph import Graph
    from penstock.states import State


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


@hookimpl
def penstock_render_html(subject: "State | Graph") -> str:
    """Show a state as a badge or a table of tasks, a graph as its picture."""
    from penstock.states import State
    from penstock_viz import notebook

    return notebook.state_html(subject) if isinstance(subject, State) else notebook.graph_html(subject)
