"""What this plugin offers: executors on this machine."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_executor() -> Mapping[str, str]:
    """Offer threads, processes and an event loop."""
    return {
        "asyncio": "penstock_executors.executors:AsyncioExecutor",
        "processes": "penstock_executors.executors:ProcessExecutor",
        "threads": "penstock_executors.executors:ThreadExecutor",
    }
