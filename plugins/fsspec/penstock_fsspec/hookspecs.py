"""The hook that this plugin adds for others: further layers between a storage or result and its files."""

from typing import TYPE_CHECKING

from penstock import hookspec

if TYPE_CHECKING:
    from penstock_fsspec.layers import Layer


@hookspec(firstresult=True)
def penstock_layer(name: str, argument: str) -> "Layer | None":
    """Return the layer that users write as `"name:argument"` or `"name"`, or None if that is not yours."""
