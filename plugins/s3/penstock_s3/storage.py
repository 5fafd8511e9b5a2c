"""Flows as objects in a bucket."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import AliasChoices, Field

from penstock import errors
from penstock.hooks.kinds import KindSpec
from penstock.storage import Reference, Source, Stored
from penstock_fsspec import FileSystemStorage
from penstock_fsspec.folders import Folder
from penstock_s3.buckets import OnS3
from penstock_s3.result import S3Result


class S3(OnS3, FileSystemStorage):
    """Flow storage as objects in a bucket: `S3("bucket")`, or `"s3://bucket/prefix"`.

    An object is called `<prefix>/<slugified flow name>/<slugified timestamp>`, and never overwritten. With `key` it is
    called that, and overwritten by the next build: of the flow registered before, nothing remains to be run.
    """

    type: ClassVar[str] = "s3"
    positional: ClassVar[tuple[str, ...]] = ("bucket", "key")
    plain: ClassVar[frozenset[str]] = frozenset({"key"})

    key: str | None = Field(default=None, description="name of the object below the prefix, in place of flow and time")
    path: Path | None = Field(
        default=None,
        description=FileSystemStorage.model_fields["path"].description,
        validation_alias=AliasChoices("path", "local_script_path"),
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, bucket: str, key: str | None = None, **options: Any) -> None: ...

    def build(self) -> Self:
        """Store every attached flow; raises StorageError if several would take turns in being the object `key`."""
        flows = self._attached.values() if self.key else ()
        if len(flows) > 1 and len({self.source_of(flow).content for flow in flows}) > 1:
            message = f"The flows {errors.listing(self._attached)} cannot all be kept as the object {self.key!r}"
            raise errors.StorageError(f"{message}. Leave the key out, or give each of them a storage of its own")
        return super().build()

    def put(self, source: Source) -> Reference:
        """Write *source* to an object that did not exist before, or to `key`."""
        if self.key is None:
            return super().put(source)
        with self._explained("A flow cannot be written"):
            return source.refer(self.folder().replace(self.key, source.content))

    def stored(self) -> Iterator[Stored]:
        """Yield the objects that have the names of stored flows, or the object `key`."""
        if self.key is None:
            yield from super().stored()
            return
        address = f"{self.root}/{self.key}"
        beside = Folder(self.filesystem(), address.rpartition("/")[0])
        with self._explained("What is stored cannot be listed"):
            for entry in beside.files(depth=0):
                if entry.address == address:
                    yield Stored(entry.address, entry.size, entry.modified)

    def default_result(self) -> KindSpec:
        """Return the spec of a result below `results` in the same place, reached in the same way."""
        shared = self.model_dump(include=set(OnS3.model_fields))
        return S3Result(**{**shared, "prefix": f"{self.prefix or ''}/results"}).spec()
