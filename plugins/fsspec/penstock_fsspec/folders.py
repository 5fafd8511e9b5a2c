"""A folder on a file system: what storages and results do with files, and nothing outside of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import fsspec
from pydantic import Field

from penstock.hooks.kinds import Kind
from penstock_fsspec import atomic
from penstock_fsspec.paths import safe_join


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder at *root*, an absolute path or a URL of *filesystem*.

    Files are named relative to it, or by the address that writing gave. Every method raises ValueError for a
    name that leads out of it, and what the file system raises.
    """

    filesystem: Any  # an fsspec file system; fsspec carries no types
    root: str

    def create(self, name: str, content: bytes) -> str:
        """Write a new file and return its address: *name*, or if that is taken `name-2` and so on."""
        address, attempt = safe_join(self.root, name), 1
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
        atomic.replace(self.filesystem, address, content)
        return address

    def read(self, name: str) -> bytes:
        """Return a file's content; raises FileNotFoundError if there is none."""
        content: Any = self.filesystem.cat_file(safe_join(self.root, name))  # fsspec's hints say too much
        return bytes(content)

    def holds(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        return bool(self.filesystem.isfile(safe_join(self.root, name)))


class OnFileSystem(Kind, ABC):
    """What storages and results on a file system have in common: a root, and how to reach it."""

    storage_options: dict[str, Any] = Field(
        default_factory=dict,
        description="options of the fsspec file system; they travel with the flow's metadata",
    )

    @property
    @abstractmethod
    def root(self) -> str:
        """The folder that holds everything, as an absolute path or a URL that fsspec understands."""

    def filesystem(self) -> Any:
        """Return the fsspec file system that `root` is on."""
        return fsspec.url_to_fs(self.root, **self.storage_options)[0]

    def folder(self) -> Folder:
        """Return the folder at `root`."""
        return Folder(self.filesystem(), self.root)
