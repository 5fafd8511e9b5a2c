"""What this plugin offers: storages and results on file systems."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storages that keep flows as files."""
    return {"local": "penstock_fsspec.storage:Local", "fsspec": "penstock_fsspec.storage:FsspecStorage"}


@hookimpl
def penstock_register_result() -> Mapping[str, str]:
    """Offer the results that are files."""
    return {"local": "penstock_fsspec.result:LocalResult", "fsspec": "penstock_fsspec.result:FsspecResult"}
