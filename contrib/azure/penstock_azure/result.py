"""Results as blobs in a container."""

from typing import TYPE_CHECKING, Any, ClassVar

from penstock_azure.containers import OnAzure
from penstock_fsspec import FileSystemResult


class AzureResult(OnAzure, FileSystemResult):
    """Results as blobs in a container: `AzureResult("container", "CONNECTION")`, or `"az://container/results"`."""

    type: ClassVar[str] = "azure"
    positional: ClassVar[tuple[str, ...]] = ("container", "connection_string_secret")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, container: str, connection_string_secret: str | None = None, **options: Any) -> None: ...
