"""Pictures of flows without a system Graphviz: SVG, DOT and Mermaid, through `flow.visualize()`."""

from penstock_viz.graphs import Graph, Link, Node

__all__ = ["Graph", "Link", "Node"]
