"""What this plugin offers: executors."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_executor() -> Mapping[str, str]:
    """Offer Dask clusters, and what Dask runs on this machine."""
    return {
        "dask": "penstock_dask.executors:DaskExecutor",
        "local-dask": "penstock_dask.executors:LocalDaskExecutor",
    }
