"""What this plugin offers: a storage and a result in a bucket, by both schemes that Google's addresses have."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storage that keeps flows as objects."""
    return dict.fromkeys(("gcs", "gs"), "penstock_gcs.storage:GCS")


@hookimpl
def penstock_register_result() -> Mapping[str, str]:
    """Offer the result that keeps values as objects."""
    return dict.fromkeys(("gcs", "gs"), "penstock_gcs.result:GCSResult")
