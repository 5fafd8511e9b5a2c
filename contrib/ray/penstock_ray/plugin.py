"""What this plugin offers: an executor."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_executor() -> Mapping[str, str]:
    """Offer Ray clusters."""
    return {"ray": "penstock_ray.executors:RayExecutor"}
