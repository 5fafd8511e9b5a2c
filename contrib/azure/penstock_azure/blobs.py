"""adlfs, held to what penstock needs: names are taken as they are, and only what is missing counts as missing."""

from typing import Any, Final

from adlfs import AzureBlobFileSystem
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import StorageErrorCode
from azure.storage.blob.aio import BlobServiceClient
from fsspec.asyn import sync_wrapper

from penstock import errors

_PATIENCE: Final[dict[str, Any]] = {  # seconds; left alone, the client waits a minute before it tells of an error
    "connection_timeout": 10,
    "read_timeout": 30,
    "retry_total": 3,
    "initial_backoff": 1,
    "increment_base": 2,
    "random_jitter_range": 1,
}


class Blobs(AzureBlobFileSystem):  # type: ignore[misc]  # adlfs ships no types
    """A file system of blobs.

    * A connection string or account that is given goes before what the environment names.
    * A blob's name may have any character, and is not read as a URL.
    * An error is not taken for a blob that is not there.
    """

    def __init__(
        self,
        *,
        endpoint_url: str | None = None,
        client_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Take adlfs' options, the account's address, and those of the service's client; raises SettingsError."""
        self.credential: Any = None
        self._endpoint_url = endpoint_url
        self._client_options = {**_PATIENCE, **(client_options or {})}
        self._account_given = not options.get("connection_string") and bool(options.get("account_name") or endpoint_url)
        super().__init__(**options)

    def do_connect(self) -> None:
        """Make the service's client; nothing is asked yet."""
        url = self._endpoint_url or (self.account_name and f"https://{self.account_name}.blob.core.windows.net")
        if self.connection_string and not self._account_given:
            self.service_client = self._by_connection_string()
        elif url:
            self.service_client = BlobServiceClient(url, self._found_credential(), **self._client_options)
        else:
            hint = "Name a secret that holds a connection string: connection_string_secret=…, or an account_name=…"
            raise errors.SettingsError(f"No account of Azure Storage is named. {hint}")

    def _by_connection_string(self) -> BlobServiceClient:
        try:
            return BlobServiceClient.from_connection_string(self.connection_string, **self._client_options)
        except ValueError as error:
            expected = "DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…"
            raise errors.SettingsError(f"What was given is no connection string; expected is {expected}") from error

    def _found_credential(self) -> Any:
        if self.account_key and self.account_name:
            return {"account_name": self.account_name, "account_key": self.account_key}
        if self.sas_token:
            return AzureSasCredential(self.sas_token.lstrip("?"))
        if self.credential is None and not self.anon:  # the environment has a connection string, for another account
            self.credential, self.sync_credential = self._get_default_azure_credential()
        return self.credential

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        scheme, _, place = path.partition("://")
        return place if scheme in cls.protocol else path

    def split_path(self, path: str, *args: object, **options: object) -> tuple[str, str, None]:  # noqa: ARG002 - of adlfs' own signature
        """Return container and name of a blob, and no version."""
        container, _, name = self._strip_protocol(path).lstrip("/").partition("/")
        return container, name, None

    async def _pipe_file(self, path: str, value: bytes, *args: Any, **options: Any) -> Any:
        try:
            return await super()._pipe_file(path, value, *args, **options)
        except FileExistsError as error:  # what adlfs makes of every conflict, such as a container being deleted
            conflict = error.__context__
            code = getattr(conflict, "error_code", None)
            if isinstance(conflict, HttpResponseError) and code != StorageErrorCode.BLOB_ALREADY_EXISTS:
                raise conflict from None
            raise

    pipe_file = sync_wrapper(_pipe_file)
