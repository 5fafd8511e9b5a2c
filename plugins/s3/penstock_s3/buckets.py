"""A bucket: what the storage and the result have in common, and how the client that reaches it is set up."""

from abc import ABC
from typing import Any, Final

from pydantic import Field

from penstock import Secret
from penstock_fsspec import options
from penstock_fsspec.buckets import InBucket
from penstock_fsspec.options import Credentials, Options
from penstock_s3 import credentials

_CLIENT: Final[dict[str, Any]] = {  # seconds; what breaks in the middle of an answer is tried again by s3fs
    "connect_timeout": 10,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}
_COMPATIBLE: Final[dict[str, Any]] = {  # with services whose buckets are no hosts, and that know no newer checksums
    "s3": {"addressing_style": "path"},
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


class OnS3(InBucket, ABC):
    """A place in a bucket of Amazon S3, or of a service that speaks its protocol."""

    bucket: str = Field(description="name of the bucket, or ARN of an access point", pattern=r"^([^/\s]+|arn:\S+)$")
    endpoint_url: str | None = Field(
        default=None,
        description="address of a service other than Amazon's [AWS_ENDPOINT_URL]; buckets are part of its paths",
        pattern=r"^https?://",
    )
    region: str | None = Field(default=None, description="region of the bucket [AWS_DEFAULT_REGION]")
    credentials: Credentials = Field(
        default=None,
        description="name of a secret with the JSON keys `key`, `secret` and `token`, or a Secret for each of these "
        "[what the AWS CLI would use]",
    )
    client_options: Options = Field(
        default_factory=dict, description="options of botocore's client; `config` holds those of its Config"
    )
    upload_options: Options = Field(
        default_factory=dict, description="arguments of every upload, such as `ServerSideEncryption`"
    )

    @property
    def bucket_url(self) -> str:
        """The bucket as a URL."""
        return f"s3://{self.bucket}"

    def filesystem(self) -> Any:
        """Return the file system of s3fs that connects as the options say."""
        from penstock_s3.objects import connected

        given, client = options.revealed(self.storage_options), options.revealed(self.client_options)
        endpoint = self.endpoint_url or client.pop("endpoint_url", None)
        compatible = _COMPATIBLE if endpoint else {}
        config = {**_CLIENT, **compatible, **given.pop("config_kwargs", {}), **client.pop("config", {})}
        if self.region:
            client["region_name"] = self.region
        chosen = {
            "endpoint_url": endpoint,
            "client_kwargs": client,
            "config_kwargs": config,
            "s3_additional_kwargs": options.revealed(self.upload_options),
            "use_listings_cache": False,  # others write to the bucket too
        }
        return connected(**{**chosen, **credentials.keys(self.credentials), **given})

    def advice(self, error: Exception) -> str | None:
        """Return what an error of S3 means and what to do about it, or None if that is not known."""
        from penstock_s3.advice import Place

        secret = self.credentials.name if isinstance(self.credentials, Secret) else None
        return Place(self.bucket, self.endpoint_url or self.client_options.get("endpoint_url"), secret).explain(error)
