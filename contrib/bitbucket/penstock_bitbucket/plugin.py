"""What this plugin offers: a storage."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storage of flows in Bitbucket's repositories."""
    return {"bitbucket": "penstock_bitbucket.storage:Bitbucket"}
