"""Flow storage in a repository on GitHub."""

from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from penstock_fsspec.hosted import HostedStorage
from penstock_fsspec.rest import plain_address
from penstock_github.files import REPOSITORY, SECRET, GitHubFileSystem


class GitHub(HostedStorage):
    """A flow's script in a repository on GitHub: `GitHub("owner/name", "flows/daily.py", ref="main")`.

    Registering pins the commit that `ref` stands for; the flow is loaded with the whole repository at that commit.
    """

    type: ClassVar[str] = "github"
    positional: ClassVar[tuple[str, ...]] = ("repo", "path", "ref", "access_token_secret", "base_url")
    default_secret: ClassVar[str] = SECRET

    repo: str = Field(description="owner and name of the repository, as owner/name", pattern=f"^{REPOSITORY}$")
    base_url: str | None = Field(
        default=None, description="address of another server's API, as https://HOST/api/v3 [the public one]"
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            repo: str,
            path: str,
            ref: str | None = None,
            access_token_secret: str | None = None,
            base_url: str | None = None,
            **options: Any,
        ) -> None: ...

    @model_validator(mode="after")
    def _at_a_plain_address(self) -> Self:
        """Refuse a password in the address; a validator of the field would have it shown."""
        if self.base_url is not None:
            plain_address("GitHub", self.base_url)
        return self

    def files(self, ref: str | None = None) -> Any:
        """Return the repository as a file system, by default at the storage's own ref; raises SecretMissingError."""
        return GitHubFileSystem(
            self.repo, ref or self.ref, base_url=self.base_url, token=self.token(), secret=self.secret
        )

    def repository(self) -> str:
        """Return the host and the repository."""
        return f"{urlsplit(self.base_url).netloc if self.base_url else 'github.com'}/{self.repo}"
