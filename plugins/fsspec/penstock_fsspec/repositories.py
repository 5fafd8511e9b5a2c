"""Storages that are only read: a flow's script in a repository, at a commit, with everything around it."""

from abc import ABC, abstractmethod
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from penstock import errors
from penstock.logs import get_logger
from penstock.storage import Reference, Storage
from penstock.storage.scripts import script_of
from penstock_fsspec import packages

if TYPE_CHECKING:
    from penstock import Flow

_SHOWN: Final = 12


class RepositoryStorage(Storage, ABC):
    """A flow's script in a repository that its owner pushes to; storing a flow writes nothing.

    Registering pins the commit that `ref` stands for, and the digest of everything in the repository at that commit;
    the flow is loaded from there with what it imports from the repository. A subclass says how to get at it.
    """

    strip: ClassVar[int] = 1
    """How many folders the files lie in inside the archives: hosts put one around them."""

    path: str = Field(description="path of the flow's script in the repository", min_length=1)
    ref: str | None = Field(default=None, description="branch, tag or commit [the default branch]")

    @abstractmethod
    def repository(self) -> str:
        """Return the repository's address, for locations and messages: `github.com/owner/name`."""

    @abstractmethod
    def resolve_ref(self) -> str:
        """Return the id of the commit that `ref` stands for now.

        Raises FlowNotStoredError if there is no such repository or ref, StorageUnreachableError.
        """

    @abstractmethod
    def archive(self, commit: str) -> bytes:
        """Return the whole repository at *commit* as a tar or zip file.

        Raises FlowNotStoredError if there is no such commit, StorageUnreachableError.
        """

    def pin(self, flow: "Flow") -> Reference:
        """Return the reference to the script at the commit that `ref` stands for now.

        Warns if the script that *flow* comes from is another. Raises FlowNotStoredError if there is none at `path`.
        """
        commit = self.resolve_ref()
        package = self._package(commit)
        script = packages.read(package, self.path)
        if script is None:
            where = f"{self.repository()} at commit {commit[:_SHOWN]}"
            raise errors.FlowNotStoredError(f"There is no file {self.path!r} in {where}; correct the path, or push it")
        here = script_of(flow)
        if here is not None and Path(here).read_bytes() != script:
            message = "The script of flow %r here, %s, is not the one in %s at commit %s, which is registered; push it"
            get_logger().warning(message, flow.name, here, self.repository(), commit[:_SHOWN])
        digest, location = sha256(package).hexdigest(), f"{self.repository()}@{commit}"
        return Reference(location=location, sha256=digest, size=len(package), format="package", entry=self.path)

    def fetch(self, reference: Reference) -> bytes:
        """Return everything in the repository at the commit that was pinned."""
        commit = reference.location.rpartition("@")[2]
        get_logger().info("The flow comes from %s at commit %s", self.repository(), commit)
        return self._package(commit)

    def load(self, name: str, reference: Reference, content: bytes) -> "Flow":
        """Return the flow that the script in the package defines."""
        return packages.load(name, reference, content)

    def _package(self, commit: str) -> bytes:
        archive = self.archive(commit)
        try:
            return packages.repack(archive, strip=self.strip)
        except ValueError as error:
            message = f"The archive of {self.repository()} at commit {commit[:_SHOWN]} cannot be used: {error}"
            raise errors.StorageError(f"{message}. Nothing of it was executed") from error
