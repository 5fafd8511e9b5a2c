"""Tasks on a Dask cluster, and on Dask's local schedulers.

The classes are imported on first use, so that the plugin's hooks do not load Dask.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_dask.executors import DaskExecutor, LocalDaskExecutor

__all__ = ["DaskExecutor", "LocalDaskExecutor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock_dask import executors

    return getattr(executors, name)
