"""Results as objects in a bucket."""

from typing import TYPE_CHECKING, Any, ClassVar

from penstock_fsspec import FileSystemResult
from penstock_gcs.buckets import OnGCS


class GCSResult(OnGCS, FileSystemResult):
    """Results as objects in a bucket: `GCSResult("bucket", prefix="results")`, or `"gs://bucket/results"`."""

    type: ClassVar[str] = "gcs"
    positional: ClassVar[tuple[str, ...]] = ("bucket",)

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, bucket: str, **options: Any) -> None: ...
