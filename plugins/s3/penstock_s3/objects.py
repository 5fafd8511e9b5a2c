"""s3fs, held to what penstock needs: objects are written and read whole, and no error passes for their absence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.handlers import add_expect_header
from fsspec.asyn import sync_wrapper
from fsspec.utils import tokenize
from s3fs import S3FileSystem

from penstock_s3.advice import code_of

_MISSING: Final = ("NoSuchKey", "404")
_TAKEN: Final = ("PreconditionFailed", "412")
_CONFLICTS: Final = 5
"""How often a conditional write is tried that meets another."""


class Objects(S3FileSystem):  # type: ignore[misc]  # s3fs ships no types
    """A file system of S3's objects.

    * An object is read by one request, so that it is the old one or the new while somebody writes it.
    * FileNotFoundError says that an object is missing, nothing else; a look for one needs no right to list.
    * A service that is silent is given up: no upload waits for leave to send its body, for which there is no time-out.
    * `pipe_file(..., mode="create")` raises FileExistsError whichever way the service says so.
    """

    retries = 2  # beyond those of botocore

    async def set_session(self, *args: Any, **options: Any) -> Any:
        """Connect; return the client."""
        known, client = self._s3, await super().set_session(*args, **options)
        if client is not known:
            client.meta.events.unregister("before-call.s3", add_expect_header)
        return client

    connect = sync_wrapper(set_session)

    async def _call_s3(self, method: str, *args: Any, **options: Any) -> Any:
        with _missing_objects_only():
            return await super()._call_s3(method, *args, **options)

    async def _cat_file(self, path: str, **options: Any) -> Any:
        return await super()._cat_file(path, **{**options, "max_concurrency": 1})

    async def _pipe_file(self, path: str, data: bytes, mode: str = "overwrite", **options: Any) -> None:
        for attempt in range(1, _CONFLICTS + 1):
            try:
                await super()._pipe_file(path, data, mode=mode, **options)
            except OSError as error:
                code = code_of(error)
                if mode == "create" and code in _TAKEN:
                    raise FileExistsError(path) from error
                if code != "ConditionalRequestConflict" or attempt == _CONFLICTS:
                    raise
            else:
                return

    pipe_file = sync_wrapper(_pipe_file)  # a method of the class: objects are written as a whole, not moved into place

    async def _find(self, path: str, maxdepth: int | None = None, **options: Any) -> Any:
        errors = {"on_error": "raise"} if maxdepth else {}  # otherwise it is one listing, which raises on its own
        with _missing_objects_only():
            return await super()._find(path, maxdepth=maxdepth, **options, **errors)

    find = sync_wrapper(_find)  # s3fs has one of its own, which would call its own


@contextmanager
def _missing_objects_only() -> Iterator[None]:
    """Let a FileNotFoundError pass that is about an object; one about a bucket or an upload becomes another error."""
    try:
        yield
    except FileNotFoundError as error:
        if code_of(error) in (*_MISSING, None):
            raise
        raise OSError(str(error)) from error


_connected: Final[dict[tuple[int, str], Objects]] = {}


def connected(**options: Any) -> Objects:
    """Return the file system that this process has for *options* and boto's own variables, whichever thread asks.

    Connecting takes its time, and clients their memory.
    """
    variables = sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    place = os.getpid(), tokenize(options, variables)
    return _connected.get(place) or _connected.setdefault(place, Objects(**options, skip_instance_cache=True))
