"""Flow storage in a repository on Bitbucket."""

from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from penstock.secrets import Secret
from penstock_bitbucket.files import (
    NAME,
    SECRET,
    BitbucketCloudFileSystem,
    BitbucketServerFileSystem,
    server,
)
from penstock_fsspec.hosted import HostedStorage


class Bitbucket(HostedStorage):
    """A flow's script in a repository on Bitbucket, in a workspace of the cloud or in a project on a server.

    `Bitbucket(repo="name", workspace="team", path="flows/daily.py")`, or with `project` and `host`. Registering pins
    the commit that `ref` stands for; the flow is loaded with the whole repository at that commit.
    """

    type: ClassVar[str] = "bitbucket"
    positional: ClassVar[tuple[str, ...]] = ("project", "repo", "workspace", "host", "path", "ref")
    default_secret: ClassVar[str] = SECRET

    project: str | None = Field(default=None, description="key of the project, on a server", pattern=f"^{NAME}$")
    repo: str = Field(description="name of the repository", pattern=f"^{NAME}$")
    workspace: str | None = Field(default=None, description="name of the workspace, in the cloud", pattern=f"^{NAME}$")
    host: str | None = Field(default=None, description="name or address of the server")
    cloud_username_secret: str | None = Field(
        default=None, description="name of the secret that holds the user whose password or API token is used"
    )
    cloud_app_password_secret: str | None = Field(
        default=None, description="name of the secret that holds that password or API token"
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            project: str | None = None,
            repo: str = ...,
            workspace: str | None = None,
            host: str | None = None,
            path: str = ...,
            ref: str | None = None,
            **options: Any,
        ) -> None: ...

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if (self.workspace is None) == (self.host is None):
            raise ValueError("give the workspace (in the cloud), or project and host (on a server)")
        if self.host is not None:
            server(self.host)
            if self.project is None:
                raise ValueError("on a server a repository belongs to a project; give it")
        if (self.cloud_username_secret is None) != (self.cloud_app_password_secret is None):
            raise ValueError("cloud_username_secret and cloud_app_password_secret go together")
        return self

    def files(self, ref: str | None = None) -> Any:
        """Return the repository as a file system, by default at the storage's own ref; raises SecretMissingError."""
        at = ref or self.ref
        if self.host is not None and self.project is not None:
            options: dict[str, Any] = {"token": self.token(), "secret": self.secret}
            return BitbucketServerFileSystem(self.project, self.repo, at, host=self.host, **options)
        return BitbucketCloudFileSystem(self.workspace or "", self.repo, at, **self._cloud_login())

    def repository(self) -> str:
        """Return the host and the repository."""
        if self.host is not None:
            return f"{urlsplit(server(self.host)).netloc}/{self.project}/{self.repo}"
        return f"bitbucket.org/{self.workspace}/{self.repo}"

    def _cloud_login(self) -> dict[str, Any]:
        user, password = self.cloud_username_secret, self.cloud_app_password_secret
        if user is None or password is None:
            return {"token": self.token(), "secret": self.secret}
        return {"username": str(Secret(user).get()), "token": str(Secret(password).get()), "secret": password}
