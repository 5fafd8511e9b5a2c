"""A container: what the storage and the result have in common, and how the client that reaches it is set up."""

import re
from abc import ABC
from typing import Any, Final

from pydantic import Field

from penstock_fsspec import options
from penstock_fsspec.buckets import InBucket
from penstock_fsspec.options import Options, SecretName

_ACCOUNT: Final = re.compile(r"(?:(?P<container>[^@]+)@)?(?P<account>[a-z0-9]+)\.(?:blob|dfs)\.core\.windows\.net")


class OnAzure(InBucket, ABC):
    """A place in a container of Azure Blob Storage."""

    container: str = Field(description="name of the container", pattern=r"^(\$root|\$web|[a-z0-9](-?[a-z0-9]){2,62})$")
    connection_string_secret: SecretName = Field(
        default=None, description="name of a secret with a connection string [AZURE_STORAGE_CONNECTION_STRING]"
    )
    account_name: str | None = Field(
        default=None,
        description="storage account, asked with what azure-identity finds here [AZURE_STORAGE_ACCOUNT_NAME]",
        pattern=r"^[a-z0-9]{3,24}$",
    )
    endpoint_url: str | None = Field(
        default=None,
        description="address of the account's blobs, where it is not https://ACCOUNT.blob.core.windows.net",
        pattern=r"^https?://",
    )
    client_options: Options = Field(
        default_factory=dict,
        description="options of azure-storage-blob's BlobServiceClient, such as `retry_total` and `read_timeout`",
    )

    @classmethod
    def named(cls, bucket: str) -> dict[str, Any]:
        """Return the options that `container` and `container@account.dfs.core.windows.net` stand for."""
        match = _ACCOUNT.fullmatch(bucket)
        if match is None or match["container"] is None:
            return super().named(bucket)
        return {"container": match["container"], "account_name": match["account"]}

    @property
    def bucket_url(self) -> str:
        """The container as a URL."""
        return f"az://{self.container}"

    def filesystem(self) -> Any:
        """Return the file system of adlfs that connects as the options say."""
        from penstock_azure.blobs import Blobs

        chosen = {
            "connection_string": options.revealed(self.connection_string_secret),
            "account_name": self.account_name,
            "endpoint_url": self.endpoint_url,
            "client_options": options.revealed(self.client_options),
            "use_listings_cache": False,  # others write to the container too
        }
        return Blobs(**{**chosen, **options.revealed(self.storage_options)})

    def advice(self, error: Exception) -> str | None:
        """Return what an error of Azure's means and what to do about it, or None if that is not known."""
        from penstock_azure.advice import Place

        named = self.connection_string_secret
        return Place(self.container, self.account_name, self.endpoint_url, named.name if named else None).explain(error)
