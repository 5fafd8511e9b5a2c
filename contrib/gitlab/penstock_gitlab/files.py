"""A GitLab repository at one commit as a file system, by version 4 of the REST API (https://docs.gitlab.com/api/rest)."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import BaseModel, TypeAdapter

from penstock import errors
from penstock_fsspec.commits import MOST_BYTES, CommitFileSystem, Entry
from penstock_fsspec.rest import Query, RestClient, ServiceError, plain_address

PUBLIC: Final = "https://gitlab.com"
SECRET: Final = "GITLAB_ACCESS_TOKEN"  # noqa: S105 - its name
PROJECT: Final = r"[0-9]+|[\w.-]+(/[\w.-]+)+"
_RAW: Final = "*/*"
_PAGE: Final = 100
_TYPES: Final = {"blob": "file", "tree": "directory", "commit": "submodule"}
_LINK: Final = "120000"


class _Line(BaseModel):
    id: str
    path: str
    mode: str
    type: str


class _Commit(BaseModel):
    id: str


class _Project(BaseModel):
    path_with_namespace: str
    default_branch: str | None = None


_LINES: Final = TypeAdapter(list[_Line])
_COMMIT: Final = TypeAdapter(_Commit)
_PROJECT: Final = TypeAdapter(_Project)


class GitLabFileSystem(CommitFileSystem):
    """The files of the project *repo*, `group/name`, at a branch, a tag or a commit, by default the default branch.

    *host* is that of another server, with or without `https://`. The *token* is not pickled with the file system;
    *secret* is the name it is known by in messages.
    """

    protocol: ClassVar[str] = "gitlab"

    def __init__(
        self,
        repo: str,
        ref: str | None = None,
        *,
        host: str | None = None,
        token: str | None = None,
        secret: str = SECRET,
        **options: Any,
    ) -> None:
        """Raise SettingsError for what cannot be a project, a host or a token."""
        if not re.fullmatch(PROJECT, repo):
            raise errors.SettingsError(f"A project of GitLab is named group/name, or by its number; found {repo!r}")
        credentials = {"PRIVATE-TOKEN": token} if token else None
        client = RestClient("GitLab", f"{server(host)}/api/v4", secret=secret, credentials=credentials)
        super().__init__(client, repo, ref, **options)

    @property
    def _project(self) -> str:
        return f"projects/{quote(self.repository, safe='')}"

    def look_up_repository(self) -> _Project:
        """Ask for the project."""
        return self.client.read(_PROJECT, self._project, f"the project {self.repository}")

    def resolve(self) -> str:
        """Return the commit that `ref` stands for."""
        ref = self.ref or self.look_up_repository().default_branch or "HEAD"
        path = f"{self._project}/repository/commits/{quote(ref, safe='')}"
        return self.client.read(_COMMIT, path, f"the commit of {self.at}").id

    def list_folder(self, folder: Entry) -> Iterable[Entry]:
        """Return what is in *folder*, page by page."""
        what = f"the list of {folder.path or '/'} of {self.at}"
        query: Query | None = {"ref": self.commit, "path": folder.path, "per_page": _PAGE, "pagination": "keyset"}
        while query is not None:
            answer = self.client.get(f"{self._project}/repository/tree", what, query)
            for line in self.client.parsed(_LINES, answer, what):
                kind: Any = _TYPES.get(line.type, "file")
                yield Entry(line.path, kind, None, line.id, line.mode == _LINK)
            query = _next(answer.headers.get("link", ""))

    def read_file(self, file: Entry) -> bytes:
        """Return the raw file."""
        what = f"{file.path} of {self.at}"
        return self.client.get(
            f"{self._file(file)}/raw", what, {"ref": self.commit}, accept=_RAW, limit=MOST_BYTES
        ).content

    def size_of(self, file: Entry) -> int:
        """Return the size that GitLab names in a header."""
        what = f"the size of {file.path} of {self.at}"
        answer = self.client.get(self._file(file), what, {"ref": self.commit}, method="HEAD")
        size = answer.headers.get("x-gitlab-size", "")
        if not size.isdecimal():
            message = f"GitLab does not tell {what}"
            raise ServiceError(f"{message}. Check that {self.client.address} is the address of its API")
        return int(size)

    def download(self) -> bytes:
        """Return the archive."""
        what = f"the archive of {self.at}"
        path = f"{self._project}/repository/archive.tar.gz"
        return self.client.get(path, what, {"sha": self.commit}, accept=_RAW, limit=MOST_BYTES).content

    def _file(self, file: Entry) -> str:
        return f"{self._project}/repository/files/{quote(file.path, safe='')}"


def _next(link: str) -> Query | None:
    """Return the query of the next page, if there is one: the host is as GitLab sees itself, perhaps not as we do."""
    for part in link.split(","):
        address, _, relation = part.partition(";")
        if 'rel="next"' in relation:
            return dict(parse_qsl(urlsplit(address.strip(" <>")).query))
    return None


def server(host: str | None) -> str:
    """Return the address of a server that is named by its address, its name or not at all; raises SettingsError."""
    host = host or PUBLIC
    return plain_address("GitLab", host if "://" in host else f"https://{host}")
