"""Storages that keep the source of flows as files: on any file system, and on this machine's disks."""

from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, field_validator

from penstock import errors, settings
from penstock.hooks.kinds import KindSpec
from penstock.storage import Reference, Source, Storage
from penstock_fsspec.folders import OnFileSystem

if TYPE_CHECKING:
    from penstock.flow import Flow


class FileSystemStorage(OnFileSystem, Storage, ABC):
    """Flow storage as files below a root: `<root>/<slugified flow name>/<slugified timestamp>`.

    A subclass says where the root is; it may override `filesystem` to connect in its own way.
    """

    path: Path | None = Field(
        default=None,
        description="the flows' script, where it cannot be found from the flow itself (a notebook)",
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

    def put(self, source: Source) -> Reference:
        """Write *source* to a file that did not exist before."""
        with self._explained("written"):
            return source.refer(self.folder().create(source.key(), source.content))

    def fetch(self, reference: Reference) -> bytes:
        """Return what the file holds."""
        try:
            with self._explained("read"):
                return self.folder().read(reference.location)
        except FileNotFoundError as error:
            raise errors.FlowNotStoredError(
                f"There is no file {reference.location}, where a flow was stored; register the flow again"
            ) from error

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Turn what a file system raises into an error that names the place; a missing file passes."""
        try:
            yield
        except FileNotFoundError:
            raise
        except ValueError as error:
            raise errors.StorageError(f"A flow cannot be {done} by this {self.type} storage: {error}") from error
        except Exception as error:  # the file system's client is other people's code
            cause = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            raise errors.StorageUnreachableError(
                f"A flow cannot be {done} in {self.root}: {cause}. Choose a place that can be read and written"
            ) from error


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
        options = {"url": f"{self.url.rstrip('/')}/results", "storage_options": self.storage_options}
        return KindSpec(type="fsspec", options=options, distribution="penstock-fsspec")


class Local(FileSystemStorage):
    """Flow storage in a folder on this machine, or on a disk that several machines share."""

    type: ClassVar[str] = "local"
    positional: ClassVar[tuple[str, ...]] = ("directory",)

    directory: Path | None = Field(default=None, description="folder of the stored flows [<home>/flows]")

    if TYPE_CHECKING:  # as above

        def __init__(self, directory: str | Path | None = None, **options: Any) -> None: ...

    @field_validator("directory")
    @classmethod
    def _absolute(cls, directory: Path | None) -> Path | None:
        """Hold for any working folder, so that an agent started elsewhere finds it."""
        return directory and directory.expanduser().absolute()

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
        return KindSpec(type="local", options={"dir": str(folder / "results")}, distribution="penstock-fsspec")
