"""A GitHub repository at one commit as a file system, by the REST API (https://docs.github.com/rest)."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter

from penstock import errors
from penstock_fsspec.commits import MOST_BYTES, CommitFileSystem, Entry
from penstock_fsspec.rest import RestClient

PUBLIC: Final = "https://api.github.com"
SECRET: Final = "GITHUB_ACCESS_TOKEN"  # noqa: S105 - its name
_RAW: Final = "application/vnd.github.raw+json"
_VERSION: Final = {"X-GitHub-Api-Version": "2022-11-28"}
REPOSITORY: Final = "[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_TYPES: Final = {"blob": "file", "tree": "directory", "commit": "submodule"}
_LINK: Final = "120000"


class _Line(BaseModel):
    path: str
    mode: str
    type: str
    sha: str
    size: int | None = None


class _Tree(BaseModel):
    tree: list[_Line]
    truncated: bool


class _Commit(BaseModel):
    sha: str


class _Repository(BaseModel):
    full_name: str


_TREE: Final = TypeAdapter(_Tree)
_COMMIT: Final = TypeAdapter(_Commit)
_REPOSITORY: Final = TypeAdapter(_Repository)


class GitHubFileSystem(CommitFileSystem):
    """The files of the repository *repo*, `owner/name`, at a branch, a tag or a commit, by default the default branch.

    *base_url* is the address of another server's API, `https://HOST/api/v3`. The *token* is not pickled with the file
    system; *secret* is the name it is known by in messages.
    """

    protocol: ClassVar[str] = "github"

    def __init__(
        self,
        repo: str,
        ref: str | None = None,
        *,
        base_url: str | None = None,
        token: str | None = None,
        secret: str = SECRET,
        **options: Any,
    ) -> None:
        """Raise SettingsError for what cannot be a repository, a base URL or a token."""
        if not re.fullmatch(REPOSITORY, repo):
            raise errors.SettingsError(f"A repository of GitHub is named owner/name; found {repo!r}")
        client = RestClient(
            "GitHub",
            base_url or PUBLIC,
            secret=secret,
            credentials={"Authorization": f"Bearer {token}"} if token else None,
            headers=_VERSION,
        )
        super().__init__(client, repo, ref, **options)

    def look_up_repository(self) -> None:
        """Ask for the repository itself."""
        self.client.read(_REPOSITORY, f"repos/{self.repository}", f"the repository {self.repository}")

    def resolve(self) -> str:
        """Return the commit that `ref` stands for."""
        ref = quote(self.ref or "HEAD", safe="")
        return self.client.read(_COMMIT, f"repos/{self.repository}/commits/{ref}", f"the commit of {self.at}").sha

    def list_folder(self, folder: Entry) -> Iterable[Entry]:
        """Return all that is below the root, or what is in *folder* where that is more than GitHub tells at once."""
        if not folder.path:
            tree = self._tree(self.commit, "", recursive=True)
            if not tree.truncated:
                return _entries(tree, "")
        return _entries(self._tree(folder.id or self.commit, folder.path), folder.path)

    def read_file(self, file: Entry) -> bytes:
        """Return the blob."""
        path, what = f"repos/{self.repository}/git/blobs/{file.id}", f"{file.path} of {self.at}"
        return self.client.get(path, what, accept=_RAW, limit=MOST_BYTES).content

    def download(self) -> bytes:
        """Return the archive, from wherever GitHub sends us to."""
        path = f"repos/{self.repository}/tarball/{self.commit}"
        return self.client.get(path, f"the archive of {self.at}", limit=MOST_BYTES).content

    def _tree(self, tree: str, path: str, *, recursive: bool = False) -> _Tree:
        query = {"recursive": 1} if recursive else None
        what = f"the list of {path or '/'} of {self.at}"
        return self.client.read(_TREE, f"repos/{self.repository}/git/trees/{tree}", what, query)


def _entries(tree: _Tree, folder: str) -> Iterable[Entry]:
    below = f"{folder}/" if folder else ""
    for line in tree.tree:
        kind: Any = _TYPES.get(line.type, "file")
        yield Entry(below + line.path, kind, line.size, line.sha, line.mode == _LINK)
