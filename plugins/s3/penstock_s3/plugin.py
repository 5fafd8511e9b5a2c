"""What this plugin offers: a storage and a result in a bucket."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storage that keeps flows as objects."""
    return {"s3": "penstock_s3.storage:S3"}


@hookimpl
def penstock_register_result() -> Mapping[str, str]:
    """Offer the result that keeps values as objects."""
    return {"s3": "penstock_s3.result:S3Result"}
