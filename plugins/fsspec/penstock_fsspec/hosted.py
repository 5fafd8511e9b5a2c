"""Storages in repositories that a host gives out by its REST API: what they have in common."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import Field

from penstock.secrets import Secret
from penstock_fsspec.repositories import RepositoryStorage


class HostedStorage(RepositoryStorage, ABC):
    """A flow's script in a repository on a host. A subclass gives its file system, and the repository's address."""

    default_secret: ClassVar[str]
    """The secret that holds the token, if there is one, where the storage names none."""

    access_token_secret: str | None = Field(default=None, description="name of the secret that holds a token")

    @abstractmethod
    def files(self, ref: str | None = None) -> Any:  # fsspec carries no types
        """Return the repository at *ref*, by default at the storage's own, as a `commits.CommitFileSystem`.

        Raises SecretMissingError.
        """

    def resolve_ref(self) -> str:
        """Return the commit that `ref` stands for now."""
        return str(self.files().commit)

    def archive(self, commit: str) -> bytes:
        """Return the archive that the host makes of a commit."""
        return bytes(self.files(commit).archive())

    @property
    def secret(self) -> str:
        """The name of the secret that holds the token, or would."""
        return self.access_token_secret or self.default_secret

    def token(self) -> str | None:
        """Return the token; raises SecretMissingError if the storage names a secret that nobody knows."""
        secret = Secret(self.secret)
        return str(secret.get()) if self.access_token_secret is not None or secret.exists() else None
