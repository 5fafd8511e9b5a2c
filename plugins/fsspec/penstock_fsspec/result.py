"""Results kept as files: on any file system, and on this machine's disks."""

from abc import ABC
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from penstock import errors, settings
from penstock.results import Result
from penstock_fsspec import layers
from penstock_fsspec.folders import OnFileSystem


class FileSystemResult(OnFileSystem, Result, ABC):
    """Results as files below a root, written atomically; a location leads nowhere outside of it.

    A subclass says where the root is; it may override `filesystem` to connect in its own way.
    """

    def put(self, location: str, content: bytes) -> str:
        """Write a file, in place of the one that may be there, and return its address."""
        with self._explained(f"The result {location!r} cannot be written"):
            return self.folder().replace(location, content)

    def get(self, location: str) -> bytes:
        """Return what the file holds."""
        try:
            with self._explained(f"The result {location!r} cannot be read"):
                return self.folder().read(location)
        except FileNotFoundError as error:
            raise errors.ResultMissingError(f"There is no result at {location!r} in {self.root}") from error
        except layers.LayerError as error:
            raise errors.ResultCorruptError(f"The result at {location!r} in {self.root} is damaged: {error}") from error

    def has(self, location: str) -> bool:
        """Return whether there is a file."""
        with self._explained(f"The result {location!r} cannot be looked for"):
            return self.folder().holds(location)

    def _explained(self, subject: str) -> AbstractContextManager[None]:
        return self.explained(subject, errors.ResultError, errors.ResultError)


class FsspecResult(FileSystemResult):
    """Results on any file system that fsspec knows, named by its URL: `FsspecResult("sftp://host/results")`."""

    type: ClassVar[str] = "fsspec"
    positional: ClassVar[tuple[str, ...]] = ("url",)

    url: str = Field(description="folder on a file system, as fsspec writes it", pattern="^[a-zA-Z0-9+.-]+://")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, url: str, **options: Any) -> None: ...

    @property
    def root(self) -> str:
        """The URL."""
        return self.url


class LocalResult(FileSystemResult):
    """Results in a folder on this machine, or on a disk that several machines share."""

    type: ClassVar[str] = "local"
    takes_urls: ClassVar[bool] = False  # local:// is a file system of fsspec
    positional: ClassVar[tuple[str, ...]] = ("dir",)

    dir: Path | None = Field(default=None, description="folder of the results [<home>/results]")

    if TYPE_CHECKING:  # as above

        def __init__(self, dir: str | Path | None = None, **options: Any) -> None: ...  # noqa: A002 - the classic name

    @field_validator("dir")
    @classmethod
    def _absolute(cls, folder: Path | None) -> Path | None:
        """Hold for any working folder: workers and agents may run elsewhere."""
        return folder and folder.expanduser().absolute()

    @property
    def root(self) -> str:
        """The folder's absolute path."""
        return str(self.dir or settings.get().home.absolute() / "results")
