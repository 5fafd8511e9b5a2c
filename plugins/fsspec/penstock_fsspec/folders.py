"""A folder on a file system: what storages and results do with files, and nothing outside of it."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import fsspec
from pydantic import Field

from penstock import errors, redaction
from penstock.hooks.kinds import Kind, KindSpec
from penstock_fsspec import atomic, options
from penstock_fsspec.layers import MOST_BYTES, Layers, decode, encode
from penstock_fsspec.options import Options
from penstock_fsspec.paths import safe_join

_TIMES: Final = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it is listed: its address, its size in bytes, and when it was written (UTC) if that is known."""

    address: str
    size: int
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder at *root*, an absolute path or a URL of *filesystem*; what is written to it is put into *layers*.

    Files are named relative to it, or by the address that writing gave. Every method raises ValueError for a
    name that leads out of it, and what the file system raises.
    """

    filesystem: Any  # an fsspec file system; fsspec carries no types
    root: str
    layers: tuple[str, ...] = ()

    def create(self, name: str, content: bytes) -> str:
        """Write a new file and return its address: *name*, or if that is taken `name-2` and so on."""
        address, attempt = safe_join(self.root, name), 1
        content = encode(self.layers, content)
        while True:
            candidate = address if attempt == 1 else f"{address}-{attempt}"
            try:
                atomic.create(self.filesystem, candidate, content)
            except FileExistsError:
                attempt += 1
            else:
                return candidate

    def replace(self, name: str, content: bytes) -> str:
        """Write a file, in place of the one that may be there, and return its address."""
        address = safe_join(self.root, name)
        atomic.replace(self.filesystem, address, encode(self.layers, content))
        return address

    def read(self, name: str, most: int = MOST_BYTES) -> bytes:
        """Return a file's content.

        Raises FileNotFoundError if there is none, LayerError if a layer cannot be taken off or more than *most* bytes
        come out of it.
        """
        content: Any = self.filesystem.cat_file(safe_join(self.root, name))  # fsspec's hints say too much
        return decode(self.layers, bytes(content), most)

    def holds(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        return atomic.holds(self.filesystem, safe_join(self.root, name))

    def files(self, depth: int) -> Iterator[Entry]:
        """Yield the files that lie *depth* folders below this one at most; none if there is no such folder."""
        root = str(self.filesystem._strip_protocol(self.root))  # noqa: SLF001 - fsspec has no public name for it
        try:
            found: dict[str, Any] = self.filesystem.find(root, maxdepth=depth + 1, detail=True)
        except FileNotFoundError:
            return
        for path, info in found.items():
            inner = path.removeprefix(root).lstrip("/")
            yield Entry(f"{self.root.rstrip('/')}/{inner}", int(info.get("size") or 0), _modified(info))

    def remove(self, name: str) -> None:
        """Remove a file; no error if it is gone."""
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.rm_file(safe_join(self.root, name))


def _modified(info: dict[str, Any]) -> datetime | None:
    """Return when a file was written, in whichever of the file systems' forms that is told."""
    found = next((info[key] for key in _TIMES if info.get(key) is not None), None)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    if isinstance(found, str):
        found = datetime.fromisoformat(found)
    return found.astimezone(UTC) if isinstance(found, datetime) else None


class OnFileSystem(Kind, ABC):
    """What storages and results on a file system have in common: a root, how to reach it, and layers.

    A subclass says where the root is. It may override `filesystem` to connect in its own way, and `advice` to say what
    an error of the file system's client means.
    """

    plain: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no credentials, though they are called like some."""

    layers: Layers = Field(
        default=[], description='compression and encryption, the innermost first: "zstd", "fernet:SECRET"'
    )
    storage_options: Options = Field(
        default_factory=dict,
        description="options of the fsspec file system; a credential is a Secret, of which the name travels",
    )

    @property
    @abstractmethod
    def root(self) -> str:
        """The folder that holds everything, as an absolute path or a URL that fsspec understands."""

    def filesystem(self) -> Any:
        """Return the fsspec file system that `root` is on."""
        return fsspec.url_to_fs(self.root, **options.revealed(self.storage_options))[0]

    def folder(self) -> Folder:
        """Return the folder at `root`."""
        return Folder(self.filesystem(), self.root, tuple(self.layers))

    def advice(self, error: Exception) -> str | None:  # noqa: ARG002 - for subclasses to use
        """Return what an error of the file system means and what to do about it, or None if that is not known."""
        return None

    def spec(self) -> KindSpec:
        """Return this object as data; raises StorageError if a credential would travel with it."""
        options.refuse_credentials(self, self.model_dump(exclude={"references", *self.plain}))
        return super().spec()

    @contextmanager
    def explained(self, subject: str, unreachable: type[Exception], unfit: type[Exception]) -> Iterator[None]:
        """Turn what a file system raises about *subject* into errors that name the place.

        A missing file passes, unless `advice` knows that more is missing. *unfit* is raised for a name or an option
        that cannot be used, *unreachable* for all else.
        """
        try:
            yield
        except errors.PenstockError:
            raise
        except ValueError as error:
            raise unfit(redaction.hidden(f"{subject}: {error}")) from error
        except Exception as error:  # the file system's client is other people's code
            advice = self.advice(error)
            if advice is None and isinstance(error, FileNotFoundError):
                raise
            cause = advice or getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            raise unreachable(redaction.hidden(f"{subject} in {self.root}: {cause}")) from error
