"""Buckets of object stores: what the storages and results in them have in common.

For a store, derive its place from `InBucket` and its storage from `BucketStorage`, and say how to connect.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

from pydantic import AliasChoices, Field, field_validator

from penstock import errors
from penstock.storage import Reference, Source, Stored
from penstock_fsspec.folders import Folder, OnFileSystem
from penstock_fsspec.storage import FileSystemStorage


class InBucket(OnFileSystem, ABC):
    """A place in a bucket, which the first positional option names."""

    prefix: str | None = Field(default=None, description="what the names of all objects begin with, as a folder")

    @field_validator("prefix")
    @classmethod
    def _bare(cls, prefix: str | None) -> str | None:
        return (prefix or "").strip("/") or None

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return the place that `scheme://bucket/prefix?option=value` names."""
        place, _, query = url.partition("?")
        bucket, _, prefix = place.partition("://")[2].partition("/")
        return cls(**{**cls.named(bucket), "prefix": prefix, **dict(parse_qsl(query)), **options})

    @classmethod
    def named(cls, bucket: str) -> dict[str, Any]:
        """Return the options that a URL's part between `://` and the path stands for."""
        if "@" in bucket:
            message = "The URL of a bucket is no place for credentials. Keep them in a secret"
            raise errors.SettingsError(f"{message}, and name it with an option")
        return {cls.positional[0]: bucket}

    @property
    @abstractmethod
    def bucket_url(self) -> str:
        """The bucket as a URL of the file system: `gs://bucket`."""

    @property
    def root(self) -> str:
        """The bucket and the prefix as a URL."""
        return f"{self.bucket_url}/{self.prefix}" if self.prefix else self.bucket_url


class BucketStorage(InBucket, FileSystemStorage, ABC):
    """Flow storage as objects in a bucket: `<prefix>/<slugified flow name>/<slugified timestamp>`, never overwritten.

    With a fixed name the object is called that, and overwritten by the next build: of the flow registered before,
    nothing remains to be run.
    """

    path: Path | None = Field(
        default=None,
        description=FileSystemStorage.model_fields["path"].description,
        validation_alias=AliasChoices("path", "local_script_path"),
    )

    @property
    @abstractmethod
    def fixed_name(self) -> str | None:
        """The name below the prefix that the user has given to the object, if any."""

    def build(self) -> Self:
        """Store every attached flow; raises StorageError if several would take turns in being one object."""
        flows = self._attached.values() if self.fixed_name else ()
        if len(flows) > 1 and len({self.source_of(flow).content for flow in flows}) > 1:
            message = f"The flows {errors.listing(self._attached)} cannot all be kept as the object {self.fixed_name!r}"
            raise errors.StorageError(f"{message}. Let each have a name of its own, or a storage of its own")
        return super().build()

    def put(self, source: Source) -> Reference:
        """Write *source* to an object that did not exist before, or to the one of the fixed name."""
        if self.fixed_name is None:
            return super().put(source)
        with self._explained("A flow cannot be written"):
            return source.refer(self.folder().replace(self.fixed_name, source.content))

    def stored(self) -> Iterator[Stored]:
        """Yield the objects that have the names of stored flows, or the one of the fixed name."""
        if self.fixed_name is None:
            yield from super().stored()
            return
        address = f"{self.root}/{self.fixed_name}"
        beside = Folder(self.filesystem(), address.rpartition("/")[0])
        with self._explained("What is stored cannot be listed"):
            for entry in beside.files(depth=0):
                if entry.address == address:
                    yield Stored(entry.address, entry.size, entry.modified)
