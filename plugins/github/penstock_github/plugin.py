"""What this plugin offers: a storage."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storage of flows in GitHub's repositories."""
    return {"github": "penstock_github.storage:GitHub"}
