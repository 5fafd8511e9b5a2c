"""What this plugin offers: a storage."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer flows in modules."""
    return {"module": "penstock_module.storage:Module"}
