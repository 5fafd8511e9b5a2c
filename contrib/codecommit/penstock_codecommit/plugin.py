"""What this plugin offers: a storage."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer flows in CodeCommit."""
    return {"codecommit": "penstock_codecommit.storage:CodeCommit"}
