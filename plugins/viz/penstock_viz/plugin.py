"""What this plugin does: draws graphs, and shows them and states in notebooks."""

from typing import TYPE_CHECKING

from penstock import hookimpl

if TYPE_CHECKING:
    import pluggy

    from penstock import Flow
    from penstock.states import State
    from penstock_viz.graphs import Graph


@hookimpl
def penstock_add_hookspecs(manager: "pluggy.PluginManager") -> None:
    """Let other plugins draw further formats."""
    from penstock_viz import hookspecs

    manager.add_hookspecs(hookspecs)


@hookimpl
def penstock_draw_flow(flow: "Flow", flow_state: "State | None", horizontal: bool) -> "Graph":
    """Return the flow's tasks and edges as a graph."""
    from penstock_viz import graphs

    return graphs.draw(flow, flow_state, horizontal=horizontal)


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
def penstock_render_html(subject: "State | Flow") -> str:
    """Show a state as a badge or a table of tasks, a flow as its picture."""
    from penstock.states import State
    from penstock_viz import graphs, notebook

    if isinstance(subject, State):
        return notebook.state_html(subject)
    return notebook.graph_html(graphs.draw(subject))
