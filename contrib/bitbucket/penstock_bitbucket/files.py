"""A Bitbucket repository at one commit as a file system: in Bitbucket Cloud, and on a Bitbucket Server or Data Center.

By the REST APIs: https://developer.atlassian.com/cloud/bitbucket/rest and https://developer.atlassian.com/server/bitbucket.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import BaseModel, TypeAdapter

from penstock import errors
from penstock_fsspec.commits import MOST_BYTES, CommitFileSystem, Entry
from penstock_fsspec.rest import AbsentError, Query, RestClient, plain_address

PUBLIC: Final = "https://api.bitbucket.org/2.0"
PUBLIC_WEB: Final = "https://bitbucket.org"
SECRET: Final = "BITBUCKET_ACCESS_TOKEN"  # noqa: S105 - its name
NAME: Final = r"[\w.{}~-]*[\w{}~-][\w.{}~-]*"
_RAW: Final = "*/*"
_PAGE: Final = 100
_MANY: Final = 1000
_FOLDER: Final = "package"
_HASH: Final = re.compile(r"[0-9a-f]{7,}")


class _Attributed(BaseModel):
    path: str
    type: str
    size: int | None = None
    attributes: list[str] = []


class _Source(BaseModel):
    values: list[_Attributed]
    next: str | None = None


class _Commit(BaseModel):
    hash: str


class _Ref(BaseModel):
    target: _Commit


class _Branch(BaseModel):
    name: str


class _CloudRepository(BaseModel):
    full_name: str
    mainbranch: _Branch | None = None


class _Identified(BaseModel):
    id: str


class _Commits(BaseModel):
    values: list[_Identified]


class _Paths(BaseModel):
    values: list[str]
    isLastPage: bool  # noqa: N815 - as Bitbucket spells it
    nextPageStart: int | None = None  # noqa: N815 - as Bitbucket spells it


class _ServerRepository(BaseModel):
    slug: str


_SOURCE: Final = TypeAdapter(_Source)
_COMMIT: Final = TypeAdapter(_Commit)
_REF: Final = TypeAdapter(_Ref)
_CLOUD_REPOSITORY: Final = TypeAdapter(_CloudRepository)
_COMMITS: Final = TypeAdapter(_Commits)
_PATHS: Final = TypeAdapter(_Paths)
_SERVER_REPOSITORY: Final = TypeAdapter(_ServerRepository)


class BitbucketCloudFileSystem(CommitFileSystem):
    """The files of *repo* in a *workspace* at a branch, a tag or a commit, by default those of the main branch.

    The *token* goes with *username* as a password does (API tokens, whose user is an e-mail address), or alone (access
    tokens of a repository, a project or a workspace). It is not pickled with the file system; *secret* is the name it
    is known by in messages. Archives come from *web_url*, since the API has none.
    """

    protocol: ClassVar[str] = "bitbucket"

    def __init__(
        self,
        workspace: str,
        repo: str,
        ref: str | None = None,
        *,
        base_url: str | None = None,
        web_url: str | None = None,
        username: str | None = None,
        token: str | None = None,
        secret: str = SECRET,
    ) -> None:
        """Raise SettingsError for what cannot be a repository, an address or a token."""
        name = _named(workspace, repo)
        credentials = _credentials(username, token)
        self._web_url = (web_url or PUBLIC_WEB).rstrip("/")
        client = RestClient(
            "Bitbucket", base_url or PUBLIC, secret=secret, credentials=credentials, trusted=[self._web_url]
        )
        super().__init__(client, name, ref)

    @property
    def _place(self) -> str:
        return f"repositories/{_quoted(self.repository)}"

    def look_up_repository(self) -> _CloudRepository:
        """Ask for the repository itself."""
        return self.client.read(_CLOUD_REPOSITORY, self._place, f"the repository {self.repository}")

    def resolve(self) -> str:
        """Return the commit that `ref` stands for."""
        what = f"the commit of {self.at}"
        ref = self.ref
        if ref is None:
            main = self.look_up_repository().mainbranch
            if main is None:
                raise AbsentError(f"Bitbucket names no main branch of {self.repository}")
            ref = main.name
        name = quote(ref, safe="")
        if _HASH.fullmatch(ref):
            try:
                return self.client.read(_COMMIT, f"{self._place}/commit/{name}", what).hash
            except AbsentError:
                pass  # a branch may be called like that
        try:
            return self.client.read(_REF, f"{self._place}/refs/branches/{name}", what).target.hash
        except AbsentError:
            return self.client.read(_REF, f"{self._place}/refs/tags/{name}", what).target.hash

    def list_folder(self, folder: Entry) -> Iterable[Entry]:
        """Return what is in *folder*, page by page."""
        what = f"the list of {folder.path or '/'} of {self.at}"
        path = f"{self._place}/src/{self.commit}/{_quoted(f'{folder.path}/' if folder.path else '')}"
        query: Query | None = {"pagelen": _PAGE}
        while query is not None:
            page = self.client.read(_SOURCE, path, what, query)
            yield from map(_entry, page.values)
            query = dict(parse_qsl(urlsplit(page.next).query)) if page.next else None

    def read_file(self, file: Entry) -> bytes:
        """Return the file."""
        path, what = f"{self._place}/src/{self.commit}/{_quoted(file.path)}", f"{file.path} of {self.at}"
        return self.client.get(path, what, accept=_RAW, limit=MOST_BYTES).content

    def download(self) -> bytes:
        """Return the archive."""
        address = f"{self._web_url}/{_quoted(self.repository)}/get/{self.commit}.tar.gz"
        return self.client.get(address, f"the archive of {self.at}", accept=_RAW, limit=MOST_BYTES).content


class BitbucketServerFileSystem(CommitFileSystem):
    """The files of *repo* in a *project* of the server *host* at a branch, a tag or a commit.

    By default it is the default branch. *host* goes with or without `https://`. The *token* is an HTTP access token, or
    with *username* a password. It is not pickled with the file system; *secret* is the name it is known by in messages.
    """

    protocol: ClassVar[str] = "bitbucket"

    def __init__(
        self,
        project: str,
        repo: str,
        ref: str | None = None,
        *,
        host: str,
        username: str | None = None,
        token: str | None = None,
        secret: str = SECRET,
    ) -> None:
        """Raise SettingsError for what cannot be a repository, a host or a token."""
        name = _named(project, repo)
        credentials = _credentials(username, token)
        address = f"{server(host)}/rest/api/latest"
        client = RestClient("Bitbucket Server", address, secret=secret, credentials=credentials)
        super().__init__(client, name, ref)

    @property
    def _place(self) -> str:
        project, repo = self.repository.split("/")
        return f"projects/{_quoted(project)}/repos/{_quoted(repo)}"

    def look_up_repository(self) -> _ServerRepository:
        """Ask for the repository itself."""
        return self.client.read(_SERVER_REPOSITORY, self._place, f"the repository {self.repository}")

    def resolve(self) -> str:
        """Return the commit that `ref` stands for: the last one until it, since a path cannot hold every ref."""
        what = f"the commit of {self.at}"
        query: Query = {"limit": 1, **({"until": self.ref} if self.ref else {})}
        commits = self.client.read(_COMMITS, f"{self._place}/commits", what, query).values
        if not commits:
            raise AbsentError(f"Bitbucket Server names no commit of {self.at}")
        return commits[0].id

    def list_folder(self, folder: Entry) -> Iterable[Entry]:
        """Return every file of the commit, page by page, and the folders they are in; no server tells sizes here."""
        what = f"the list of {self.at}"
        path = "/".join(filter(None, [f"{self._place}/files", _quoted(folder.path)]))
        start: int | None = 0
        known = {folder.path}
        below = f"{folder.path}/" if folder.path else ""
        while start is not None:
            page = self.client.read(_PATHS, path, what, {"at": self.commit, "limit": _MANY, "start": start})
            for name in page.values:
                yield Entry(below + name, "file")
                for parent in _parents(below + name):
                    if parent not in known:
                        known.add(parent)
                        yield Entry(parent, "directory")
            start = None if page.isLastPage else page.nextPageStart

    def read_file(self, file: Entry) -> bytes:
        """Return the raw file."""
        path, what = f"{self._place}/raw/{_quoted(file.path)}", f"{file.path} of {self.at}"
        return self.client.get(path, what, {"at": self.commit}, accept=_RAW, limit=MOST_BYTES).content

    def download(self) -> bytes:
        """Return the archive; the folder around everything is what other hosts have."""
        what, query = f"the archive of {self.at}", {"at": self.commit, "format": "tgz", "prefix": f"{_FOLDER}/"}
        return self.client.get(f"{self._place}/archive", what, query, accept=_RAW, limit=MOST_BYTES).content


def _named(owner: str, repo: str) -> str:
    if not (re.fullmatch(NAME, owner) and re.fullmatch(NAME, repo)):
        raise errors.SettingsError(f"A repository of Bitbucket has two names without `/`; found {owner!r}, {repo!r}")
    return f"{owner}/{repo}"


def server(host: str) -> str:
    """Return the address of a server that is named by its name or its address; raises SettingsError."""
    return plain_address("Bitbucket Server", host if "://" in host else f"https://{host}")


def _credentials(username: str | None, token: str | None) -> Mapping[str, str] | None:
    if not token:
        return None
    if not username:
        return {"Authorization": f"Bearer {token}"}
    return {"Authorization": f"Basic {b64encode(f'{username}:{token}'.encode()).decode()}"}


def _quoted(path: str) -> str:
    return quote(path, safe="/")


def _parents(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _entry(found: _Attributed) -> Entry:
    if found.type == "commit_directory":
        return Entry(found.path, "directory")
    if "subrepository" in found.attributes:
        return Entry(found.path, "submodule")
    return Entry(found.path, "file", found.size, is_link="link" in found.attributes)
