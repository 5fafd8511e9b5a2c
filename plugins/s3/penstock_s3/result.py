"""Results as objects in a bucket."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import AliasChoices, Field

from penstock_fsspec import FileSystemResult
from penstock_fsspec.options import Options
from penstock_s3.buckets import OnS3


class S3Result(OnS3, FileSystemResult):
    """Results as objects in a bucket: `S3Result("bucket", prefix="results")`."""

    type: ClassVar[str] = "s3"
    positional: ClassVar[tuple[str, ...]] = ("bucket",)

    client_options: Options = Field(
        default_factory=dict,
        description=OnS3.model_fields["client_options"].description,
        validation_alias=AliasChoices("client_options", "boto3_kwargs"),
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, bucket: str, **options: Any) -> None: ...
