"""What this plugin offers: a storage and a result in a container, by all schemes that Azure's addresses have."""

from collections.abc import Mapping
from typing import Final

from penstock import hookimpl

_NAMES: Final = ("azure", "az", "abfs", "abfss")


@hookimpl
def penstock_register_storage() -> Mapping[str, str]:
    """Offer the storage that keeps flows as blobs."""
    return dict.fromkeys(_NAMES, "penstock_azure.storage:Azure")


@hookimpl
def penstock_register_result() -> Mapping[str, str]:
    """Offer the result that keeps values as blobs."""
    return dict.fromkeys(_NAMES, "penstock_azure.result:AzureResult")
