"""What this plugin offers: storages and results on file systems, and layers between them and the files."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from penstock import hookimpl

if TYPE_CHECKING:
    import pluggy

    from penstock_fsspec.layers import Layer


@hookimpl
def penstock_add_hookspecs(manager: "pluggy.PluginManager") -> None:
    """Let other plugins bring further layers."""
    from penstock_fsspec import hookspecs

    manager.add_hookspecs(hookspecs)


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storages that keep flows as files."""
    return {"local": "penstock_fsspec.storage:Local", "fsspec": "penstock_fsspec.storage:FsspecStorage"}


@hookimpl
def penstock_register_result() -> Mapping[str, str]:
    """Offer the results that are files."""
    return {"local": "penstock_fsspec.result:LocalResult", "fsspec": "penstock_fsspec.result:FsspecResult"}


@hookimpl
def penstock_layer(name: str, argument: str) -> "Layer | None":
    """Compress with Zstandard, encrypt with Fernet."""
    if name not in ("zstd", "fernet"):
        return None
    from penstock_fsspec import layers

    return layers.Zstandard(argument) if name == "zstd" else layers.Fernet(argument)
