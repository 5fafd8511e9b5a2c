"""gcsfs, held to what penstock needs: it does not wait for ever, and only what is missing counts as missing."""

from typing import Any, Final

from aiohttp import ClientTimeout
from fsspec.asyn import sync_wrapper
from gcsfs.core import GCSFileSystem, UnclosableBytesIO

from penstock_gcs import credentials as google

_PATIENCE: Final = ClientTimeout(total=None, sock_connect=10, sock_read=30)  # seconds; a large value takes its time
_LARGE: Final = 50 << 20  # bytes from which gcsfs sends parts


class Objects(GCSFileSystem):  # type: ignore[misc]  # gcsfs ships no types
    """A file system of objects in Google Cloud Storage, over its JSON API.

    * *credentials* are what a secret holds, and the machine's own if there is none.
    * An error is not taken for an object that is not there, and a look for one needs no right to list.
    * An object is written by one request, so that a condition is one on the whole of it; large ones are sent in parts
      that become the object with the last of them. gcsfs's own single request takes content for its boundary.
    """

    def __init__(
        self, *, credentials: Any = None, anonymous: bool = False, project: str | None = None, **options: Any
    ) -> None:
        """Find the credentials; raises SettingsError or DefaultCredentialsError."""
        token, found = ("anon", None) if anonymous else google.load(credentials)
        super().__init__(project=project or found or "", token=token, **{"requests_timeout": _PATIENCE, **options})

    def has_bucket(self, bucket: str) -> bool:
        """Return whether there is such a bucket, as far as the credentials let it be known."""
        try:
            self.call("GET", "b/{}/o", bucket, maxResults=1)
        except FileNotFoundError:
            return False
        except Exception:  # noqa: BLE001 - asked while another error is explained, which this is not to hide
            return True
        return True

    async def _pipe_file(self, path: str, data: bytes, *args: Any, mode: str = "overwrite", **options: Any) -> Any:
        if mode == "overwrite" and len(data) >= _LARGE:
            return await super()._pipe_file(path, data, *args, **options)
        bucket, key, _ = self.split_path(path)
        condition = {"ifGenerationMatch": "0"} if mode == "create" else {}
        address = f"{self._location}/upload/storage/v1/b/{bucket}/o"
        kind = {"Content-Type": "application/octet-stream"}
        body = UnclosableBytesIO(data)  # is sent again if the first attempt fails
        return await self._call("POST", address, uploadType="media", name=key, data=body, headers=kind, **condition)

    pipe_file = sync_wrapper(_pipe_file)
