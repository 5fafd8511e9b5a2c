"""What this plugin offers: a storage."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storage of flows in GitLab's repositories."""
    return {"gitlab": "penstock_gitlab.storage:GitLab"}
