"""Flows as blobs in a container."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from penstock import errors
from penstock.hooks.kinds import KindSpec
from penstock.storage import Reference, Source
from penstock_azure.containers import OnAzure
from penstock_azure.result import AzureResult
from penstock_fsspec import atomic, layers
from penstock_fsspec.buckets import BucketStorage
from penstock_fsspec.paths import safe_join


class Azure(OnAzure, BucketStorage):
    """Flow storage as blobs in a container: `Azure("container", "CONNECTION")`, or `"az://container/prefix"`.

    A blob is called `<prefix>/<slugified flow name>/<slugified timestamp>`, and never overwritten. With `blob_name` it
    is called that: then the next build is refused, or with `overwrite` takes its place, so that of the flow registered
    before nothing remains to be run.
    """

    type: ClassVar[str] = "azure"
    positional: ClassVar[tuple[str, ...]] = ("container", "connection_string_secret", "blob_name")

    blob_name: str | None = Field(
        default=None, description="name of the blob below the prefix, in place of flow and time"
    )
    overwrite: bool = Field(default=False, description="put it in place of what has that name already")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            container: str,
            connection_string_secret: str | None = None,
            blob_name: str | None = None,
            **options: Any,
        ) -> None: ...

    @property
    def fixed_name(self) -> str | None:
        """The option `blob_name`."""
        return self.blob_name

    def put(self, source: Source) -> Reference:
        """Write *source* to a blob that did not exist before, or with `overwrite` to the one of that name.

        That the blob holds it already is no error: an answer may have been lost.
        """
        if self.blob_name is None or self.overwrite:
            return super().put(source)
        with self._explained("A flow cannot be written"):
            reference = source.refer(safe_join(self.root, self.blob_name))
            try:
                atomic.create(self.filesystem(), reference.location, layers.encode(self.layers, source.content))
            except FileExistsError as error:
                if not self._holds(self.blob_name, source.content):
                    message = f'Flow "{source.flow_name}" was not written: there already is a blob {reference.location}'
                    raise errors.StorageError(f"{message}. Choose another blob_name, or overwrite=True") from error
            return reference

    def _holds(self, name: str, content: bytes) -> bool:
        try:
            return self.folder().read(name) == content
        except layers.LayerError:
            return False

    def default_result(self) -> KindSpec:
        """Return the spec of a result below `results` in the same place, reached in the same way."""
        shared = self.model_dump(include=set(OnAzure.model_fields))
        return AzureResult(**{**shared, "prefix": f"{self.prefix or ''}/results"}).spec()
