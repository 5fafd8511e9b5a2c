"""Pictures of flows without a system Graphviz: SVG, DOT and Mermaid, through `flow.visualize()`."""
