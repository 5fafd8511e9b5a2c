"""A storage that reads flows out of AWS CodeCommit."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from penstock import errors
from penstock.hooks.kinds import KindSpec
from penstock_codecommit.repositories import Repository
from penstock_fsspec.options import Options, refuse_credentials, revealed
from penstock_fsspec.repositories import RepositoryStorage

_REFS: Final = ("ref", "branch", "commit")


class CodeCommit(RepositoryStorage):
    """A flow's script in an AWS CodeCommit repository: `CodeCommit("flows", "flows/daily.py", branch="main")`."""

    type: ClassVar[str] = "codecommit"
    takes_urls: ClassVar[bool] = False
    positional: ClassVar[tuple[str, ...]] = ("repo", "path", "commit")
    strip: ClassVar[int] = 0

    repo: str = Field(description="the repository's name", pattern=r"^[\w.-]{1,100}$")
    commit: str | None = Field(default=None, description="commit, or branch or tag, to register from", min_length=1)
    branch: str | None = Field(default=None, description="branch to register from [the default branch]", min_length=1)
    client_options: Options = Field(
        default_factory=dict,
        description="options of boto3's client (region_name, ...); a credential is a Secret, of which the name travels",
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, repo: str, path: str, commit: str | None = None, **options: Any) -> None: ...

    @model_validator(mode="after")
    def _one_ref(self) -> Self:
        given = [name for name in _REFS if getattr(self, name) is not None]
        if len(given) > 1:
            message = "it takes one of ref, branch and commit; found {found}"
            raise PydanticCustomError("refs", message, {"found": errors.listing(given)})
        return self

    def spec(self) -> KindSpec:
        """Return this storage as data; raises StorageError if a credential would travel with it."""
        refuse_credentials(self, {"client_options": self.client_options})
        return super().spec()

    def repository(self) -> str:
        """Return `codecommit::region://name`, as git's helper for CodeCommit has it, or without a region."""
        region = self.client_options.get("region_name")
        return f"codecommit::{region}://{self.repo}" if isinstance(region, str) else f"codecommit://{self.repo}"

    def resolve_ref(self) -> str:
        """Return the commit that the branch, tag or commit stands for."""
        with self._opened() as repository:
            return repository.commit(f"refs/heads/{self.branch}" if self.branch else self.commit or self.ref)

    def archive(self, commit: str) -> bytes:
        """Return the files at *commit* as a tar file."""
        with self._opened() as repository:
            return repository.archive(commit)

    def _opened(self) -> AbstractContextManager[Repository]:
        return Repository.opened(self.repo, self.repository(), revealed(self.client_options))
