"""A storage that reads flows out of a git repository, wherever it is."""

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, Field, model_validator
from pydantic_core import PydanticCustomError

from penstock import Secret, errors, redaction
from penstock_fsspec.options import holds_credentials
from penstock_fsspec.repositories import RepositoryStorage
from penstock_git.remotes import Credentials, Remote

if TYPE_CHECKING:
    from penstock import Flow
    from penstock.storage import Reference

_COMMIT: Final = "^[0-9a-fA-F]{40}$"
_REFS: Final = ("ref", "branch_name", "tag", "commit")


class Git(RepositoryStorage):
    """A flow's script in a git repository: `Git("flows/daily.py", "acme/flows", git_token_secret_name="TOKEN")`.

    The repository is *repo* on *repo_host*, or any *url* that git reads over https, ssh or from a disk. It is read with
    the `git` command.
    """

    type: ClassVar[str] = "git"
    positional: ClassVar[tuple[str, ...]] = ("path", "repo")
    strip: ClassVar[int] = 0

    path: str = Field(
        validation_alias=AliasChoices("path", "flow_path"),
        description="path of the flow's script in the repository, also as `flow_path`",
        min_length=1,
    )
    repo: str | None = Field(default=None, description="the repository on its host: `owner/name`")
    repo_host: str = Field(default="github.com", description="the host that `repo` is on")
    url: str | None = Field(default=None, description="the repository's address, instead of `repo`", min_length=1)
    git_clone_url_secret_name: str | None = Field(
        default=None, description="the secret that holds the address, with credentials or not, instead of all else"
    )
    git_token_secret_name: str | None = Field(default=None, description="the secret that holds an access token")
    git_token_username: str | None = Field(default=None, description="whose token it is [the owner in `repo`]")
    format_access_token: bool = Field(
        default=True, description="send the token as a password (true), or in place of the user's name (false)"
    )
    use_ssh: bool = Field(default=False, description="read `repo` over ssh, with the keys of the user's configuration")
    branch_name: str | None = Field(default=None, description="the branch to register from [the default branch]")
    tag: str | None = Field(default=None, description="the tag to register from")
    commit: str | None = Field(default=None, description="the commit to register, in 40 digits", pattern=_COMMIT)
    flow_name: str | None = Field(default=None, description="the flow's name in the script, where it is another there")
    clone_depth: int = Field(
        default=1, ge=1, description="commits to fetch, where a host gives out none by its id, before all are fetched"
    )
    timeout: float = Field(default=300, gt=0, description="seconds that a command of git may take")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, flow_path: str, repo: str | None = None, **options: Any) -> None: ...

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return what a URL as pip writes it means: `git+https://host/owner/repo.git@ref#flows/daily.py`."""
        address, _, path = url.removeprefix("git+").partition("#")
        host, slash, rest = address.removeprefix(start := address.partition("://")[0] + "://").partition("/")
        repository, at, ref = rest.partition("@")
        if path:
            options["path"] = unquote(path)
        if at:
            options["ref"] = unquote(ref)
        made: Self = cls(url=f"{start}{host}{slash}{repository}", **options)
        return made

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.git_clone_url_secret_name is None and (self.repo is None) == (self.url is None):
            found = "both" if self.repo else "neither"
            raise PydanticCustomError(
                "place", "it needs repo, url or git_clone_url_secret_name; found {found}", {"found": found}
            )
        if self.url is not None and holds_credentials(self.url):
            raise PydanticCustomError(
                "credentials",
                "its url holds a user or password, which would travel with it; name the secret that holds the token in "
                "git_token_secret_name, or the one that holds the whole URL in git_clone_url_secret_name",
            )
        return self

    @model_validator(mode="after")
    def _one_ref(self) -> Self:
        given = [name for name in _REFS if getattr(self, name) is not None]
        if len(given) > 1:
            message = "it takes one of ref, branch_name, tag and commit; found {found}"
            raise PydanticCustomError("refs", message, {"found": errors.listing(given)})
        return self

    def repository(self) -> str:
        """Return `host/owner/name`, the URL, or the name of the secret that holds it."""
        if self.git_clone_url_secret_name is not None:
            return f"secret:{self.git_clone_url_secret_name}"
        return self.url or f"{self.repo_host}/{self.repo}"

    def resolve_ref(self) -> str:
        """Return the commit that the branch, tag or ref stands for at the remote."""
        wanted = self.commit or self.ref
        if wanted and re.fullmatch(_COMMIT, wanted):
            return wanted.lower()
        names = self._candidates()
        found = self._remote().refs(*names)
        commit = next((found[name] for name in names if name in found), None)
        if commit is None:
            raise errors.FlowNotStoredError(self._without_ref())
        return commit

    def archive(self, commit: str) -> bytes:
        """Return the files at *commit* as a tar file."""
        return self._remote().archive(commit, self.clone_depth)

    def load(self, name: str, reference: "Reference", content: bytes) -> "Flow":
        """Return the flow *name*, or `flow_name` of the script if that is given."""
        return super().load(self.flow_name or name, reference, content)

    def _candidates(self) -> list[str]:
        """Return the full names of the refs that may be meant, as git orders them."""
        tag, branch = self.tag or self.ref, self.branch_name or self.ref
        tags = [f"refs/tags/{tag}^{{}}", f"refs/tags/{tag}"] if tag else []
        branches = [f"refs/heads/{branch}"] if branch else []
        return [*tags, *branches, *([self.ref] if self.ref else [])] or ["HEAD"]

    def _without_ref(self) -> str:
        for kind, name in (("branch", self.branch_name), ("tag", self.tag)):
            if name is not None:
                return f"There is no {kind} {name!r} in {self.repository()}; correct the option, or push it"
        if self.ref is not None:
            subject = f"There is no branch or tag {self.ref!r} in {self.repository()}"
            return f"{subject}; correct the option, push it, or give all 40 digits of a commit"
        return f"{self.repository()} has no default branch with a commit; push one, or name a branch"

    def _remote(self) -> Remote:
        if self.git_clone_url_secret_name is not None:
            return _secret_remote(self.git_clone_url_secret_name, self.repository(), self.timeout)
        if self.use_ssh and self.repo is not None:
            return Remote(f"ssh://git@{self.repo_host}/{self.repo}.git", self.repository(), timeout=self.timeout)
        url = self.url or f"https://{self.repo_host}/{self.repo}.git"
        return Remote(url, self.repository(), self._credentials(), self.timeout)

    def _credentials(self) -> Credentials | None:
        if self.git_token_secret_name is None:
            return None
        token = str(Secret(self.git_token_secret_name).get()).strip()
        owner = self.git_token_username or (self.repo or "git").partition("/")[0]
        username, password = (owner, token) if self.format_access_token else (token, "")
        return Credentials(username, password, self.git_token_secret_name)


def _secret_remote(secret: str, name: str, timeout: float) -> Remote:
    """Return the remote at the URL that a secret holds, of which nothing is shown."""
    url = str(Secret(secret).get()).strip()
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or place.username is None:
        redaction.hide(url)
        return Remote(url, name, timeout=timeout)
    plain = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()
    username, password = unquote(place.username), unquote(place.password or "")
    redaction.hide([plain, password or username])
    return Remote(plain, name, Credentials(username, password, secret), timeout)
