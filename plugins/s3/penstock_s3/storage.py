"""Flows as objects in a bucket."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from penstock.hooks.kinds import KindSpec
from penstock_fsspec.buckets import BucketStorage
from penstock_s3.buckets import OnS3
from penstock_s3.result import S3Result


class S3(OnS3, BucketStorage):
    """Flow storage as objects in a bucket: `S3("bucket")`, or `"s3://bucket/prefix"`.

    An object is called `<prefix>/<slugified flow name>/<slugified timestamp>`, and never overwritten. With `key` it is
    called that, and overwritten by the next build: of the flow registered before, nothing remains to be run.
    """

    type: ClassVar[str] = "s3"
    positional: ClassVar[tuple[str, ...]] = ("bucket", "key")
    plain: ClassVar[frozenset[str]] = frozenset({"key"})

    key: str | None = Field(default=None, description="name of the object below the prefix, in place of flow and time")
    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, bucket: str, key: str | None = None, **options: Any) -> None: ...

    @property
    def fixed_name(self) -> str | None:
        """The key."""
        return self.key

    def default_result(self) -> KindSpec:
        """Return the spec of a result below `results` in the same place, reached in the same way."""
        shared = self.model_dump(include=set(OnS3.model_fields))
        return S3Result(**{**shared, "prefix": f"{self.prefix or ''}/results"}).spec()
