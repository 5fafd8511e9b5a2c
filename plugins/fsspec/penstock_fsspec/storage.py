"""Storages that keep the source of flows as files: on any file system, and on this machine's disks."""

import re
from abc import ABC
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from pydantic import Field, field_validator

from penstock import errors, settings
from penstock.hooks.kinds import KindSpec
from penstock.storage import Reference, Source, Storage, Stored
from penstock_fsspec import layers, packages, saved
from penstock_fsspec.folders import OnFileSystem
from penstock_fsspec.result import FsspecResult, LocalResult

if TYPE_CHECKING:
    from penstock.flow import Flow


_KEY: Final = re.compile(r"[^/]+/\d{4}-\d\d-\d\dt\d\d-\d\d-\d\d[^/]*")  # what `Source.key` gives


class FileSystemStorage(OnFileSystem, Storage, ABC):
    """Flow storage as files below a root: `<root>/<slugified flow name>/<slugified timestamp>`.

    With `package` a whole folder is stored with the script, so that the flow can import what lies beside it.
    """

    path: Path | None = Field(
        default=None,
        description="the flows' script, where it cannot be found from the flow itself (a notebook)",
    )
    package: Path | None = Field(
        default=None, exclude=True, description="folder around the script that is stored with it, as one archive"
    )

    def script_of(self, flow: "Flow") -> Path | None:
        """Return the script at `path` if that is given, else the one that defines *flow*.

        Raises StorageError if there is no file at `path`.
        """
        if self.path is None or self.stored_as_script is False:
            return super().script_of(flow)
        if not self.path.is_file():
            raise errors.StorageError(
                f'The script of flow "{flow.name}" is not at {self.path}; correct the option "path" of this storage'
            )
        return self.path

    def source_of(self, flow: "Flow") -> Source:
        """Return the script of *flow*, the package it lies in, or a pickle; raises StorageError."""
        source = super().source_of(flow)
        if self.package is None or source.format != "script":
            return source
        script, folder = self.script_of(flow), self.package.expanduser().resolve()
        if script is None or not script.resolve().is_relative_to(folder):
            message = f'The script of flow "{flow.name}", {script}, does not lie in the folder {folder}'
            raise errors.StorageError(f'{message}; correct the option "package" of this storage')
        with errors.told_as(errors.StorageError, f"The folder {folder} cannot be stored", ValueError, OSError):
            content = packages.pack_folder(folder)
        entry = script.resolve().relative_to(folder).as_posix()
        return Source(source.flow_name, content, "package", source.created, entry)

    def put(self, source: Source) -> Reference:
        """Write *source* to a file that did not exist before."""
        with self._explained("A flow cannot be written"):
            return source.refer(self.folder().create(self.key_of(source), source.content))

    def key_of(self, source: Source) -> str:
        """Return the name below the root that *source* is to have."""
        return source.key()

    def fetch(self, reference: Reference) -> bytes:
        """Return what the file holds; raises SourceChangedError if its layers do not hold what was stored."""
        try:
            with self._explained("A flow cannot be read"):
                return self.folder().read(reference.location, reference.size)
        except FileNotFoundError as error:
            raise errors.FlowNotStoredError(
                f"There is no file {reference.location}, where a flow was stored; register the flow again"
            ) from error
        except layers.LayerError as error:
            message = f"The source at {reference.location} has changed since registration: {error}"
            raise errors.SourceChangedError(f"{message}. Nothing was executed; register the flow again") from error

    def load(self, name: str, reference: Reference, content: bytes) -> "Flow":
        """Return the flow *name* from its script, package or pickle."""
        if reference.format == "package":
            return packages.load(name, reference, content)
        return super().load(name, reference, content)

    def stored(self) -> Iterator[Stored]:
        """Yield the files that have the names of stored flows."""
        with self._explained("What is stored cannot be listed"):
            for entry in self.folder().files(depth=1):
                if _KEY.fullmatch(entry.address.removeprefix(f"{self.root.rstrip('/')}/")):
                    yield Stored(entry.address, entry.size, entry.modified)

    def remove(self, location: str) -> None:
        """Remove the file."""
        with self._explained("A flow cannot be removed"):
            self.folder().remove(location)

    def _explained(self, subject: str) -> AbstractContextManager[None]:
        return self.explained(subject, errors.StorageUnreachableError, errors.StorageError)


class FsspecStorage(FileSystemStorage):
    """Flow storage on any file system that fsspec knows: `FsspecStorage("sftp://host/flows")`."""

    type: ClassVar[str] = "fsspec"
    positional: ClassVar[tuple[str, ...]] = ("url",)

    url: str = Field(description="folder on a file system, as fsspec writes it", pattern="^[a-zA-Z0-9+.-]+://")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, url: str, **options: Any) -> None: ...

    @property
    def root(self) -> str:
        """The URL."""
        return self.url

    def default_result(self) -> KindSpec:
        """Return the spec of a result in the folder `results` of the same place."""
        return FsspecResult(
            f"{self.url.rstrip('/')}/results", storage_options=self.storage_options, layers=self.layers
        ).spec()


class Local(FileSystemStorage):
    """Flow storage in a folder on this machine, or on a disk that several machines share."""

    type: ClassVar[str] = "local"
    takes_urls: ClassVar[bool] = False  # local:// is a file system of fsspec
    positional: ClassVar[tuple[str, ...]] = ("directory",)

    directory: Path | None = Field(default=None, description="folder of the stored flows [<home>/flows]")

    if TYPE_CHECKING:  # as above

        def __init__(self, directory: str | Path | None = None, **options: Any) -> None: ...

    @field_validator("directory")
    @classmethod
    def _absolute(cls, directory: Path | None) -> Path | None:
        """Hold for any working folder, so that an agent started elsewhere finds it."""
        return directory and directory.expanduser().absolute()

    @staticmethod
    def save(flow: "Flow", path: str | Path | None = None) -> Path:
        """Write a flow to a file of one's own, and return its path; see `Flow.save`."""
        return saved.save(flow, path)

    @staticmethod
    def load_saved(source: str | Path) -> "Flow":
        """Return the flow in a file of one's own; see `Flow.load`."""
        return saved.load(source)

    @property
    def root(self) -> str:
        """The folder's absolute path."""
        return str(self.directory or settings.get().home.absolute() / "flows")

    def build(self) -> Self:
        """Store every attached flow, and keep the folder's path so that it travels with the flow."""
        self.directory = Path(self.root)
        return super().build()

    def default_result(self) -> KindSpec:
        """Return the spec of a LocalResult: `<home>/results`, or `results` in a folder of one's own choice."""
        home, root = settings.get().home.absolute(), Path(self.root)
        folder = home if root == home / "flows" else root
        return LocalResult(folder / "results", layers=self.layers).spec()
