"""What this plugin offers: executors on this machine."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_executor() -> Mapping[str, str]:
    """Offer threads and processes."""
    return {
        "threads": "penstock_executors.executors:ThreadExecutor",
        "processes": "penstock_executors.executors:ProcessExecutor",
    }
