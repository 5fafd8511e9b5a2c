"""A bucket: what the storage and the result have in common, and how the client that reaches it is set up."""

from abc import ABC
from typing import Any

from pydantic import Field

from penstock import Secret
from penstock_fsspec import options
from penstock_fsspec.buckets import InBucket
from penstock_fsspec.options import Credentials


class OnGCS(InBucket, ABC):
    """A place in a bucket of Google Cloud Storage."""

    bucket: str = Field(description="name of the bucket", pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
    project: str | None = Field(
        default=None, description="project that the requests are made for [that of the credentials]"
    )
    endpoint_url: str | None = Field(
        default=None,
        description="address of a service other than Google's [STORAGE_EMULATOR_HOST]",
        pattern=r"^https?://",
    )
    credentials: Credentials = Field(
        default=None,
        description="name of a secret with the JSON of a service account or of a user, or with an access token "
        "[Google's application default credentials]",
    )
    anonymous: bool = Field(default=False, description="ask without credentials, as public buckets and emulators allow")

    @property
    def bucket_url(self) -> str:
        """The bucket as a URL."""
        return f"gs://{self.bucket}"

    def filesystem(self) -> Any:
        """Return the file system of gcsfs that connects as the options say."""
        from penstock_gcs.objects import Objects

        chosen = {
            "credentials": options.revealed(self.credentials),
            "anonymous": self.anonymous,
            "project": self.project,
            "endpoint_url": self.endpoint_url,
            "use_listings_cache": False,  # others write to the bucket too
        }
        return Objects(**{**chosen, **options.revealed(self.storage_options)})

    def advice(self, error: Exception) -> str | None:
        """Return what an error of Google's means and what to do about it, or None if that is not known."""
        from penstock_gcs.advice import Place

        secret = self.credentials.name if isinstance(self.credentials, Secret) else None
        place = Place(self.bucket, self.endpoint_url, secret)
        if isinstance(error, FileNotFoundError):
            return None if self.filesystem().has_bucket(self.bucket) else place.without_bucket()
        return place.explain(error)
