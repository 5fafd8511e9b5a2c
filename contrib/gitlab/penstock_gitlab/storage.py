"""Flow storage in a project on GitLab."""

from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from penstock_fsspec.hosted import HostedStorage
from penstock_gitlab.files import PROJECT, SECRET, GitLabFileSystem, server


class GitLab(HostedStorage):
    """A flow's script in a project on GitLab: `GitLab("group/name", path="flows/daily.py", ref="main")`.

    Registering pins the commit that `ref` stands for; the flow is loaded with the whole repository at that commit.
    """

    type: ClassVar[str] = "gitlab"
    positional: ClassVar[tuple[str, ...]] = ("repo", "host", "path", "ref", "access_token_secret")
    default_secret: ClassVar[str] = SECRET

    repo: str = Field(description="path of the project, as group/name, or its number", pattern=f"^{PROJECT}$")
    host: str | None = Field(default=None, description="name or address of the server [gitlab.com]")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            repo: str,
            host: str | None = None,
            path: str = ...,
            ref: str | None = None,
            access_token_secret: str | None = None,
            **options: Any,
        ) -> None: ...

    @model_validator(mode="after")
    def _at_a_plain_address(self) -> Self:
        """Refuse a password in the address; a validator of the field would have it shown."""
        server(self.host)
        return self

    def files(self, ref: str | None = None) -> Any:
        """Return the project as a file system, by default at the storage's own ref; raises SecretMissingError."""
        return GitLabFileSystem(self.repo, ref or self.ref, host=self.host, token=self.token(), secret=self.secret)

    def repository(self) -> str:
        """Return the host and the project."""
        return f"{urlsplit(server(self.host)).netloc}/{self.repo}"
