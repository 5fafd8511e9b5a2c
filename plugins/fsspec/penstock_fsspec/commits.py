"""A repository at one commit, as a file system that can be read: what the file systems of the hosts have in common."""

import hashlib
import io
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal, NoReturn

from fsspec import AbstractFileSystem

from penstock import errors
from penstock_fsspec.rest import MEBIBYTE, AbsentError, RestClient, ServiceError

MOST_BYTES: Final = 256 * MEBIBYTE
"""How large a file or an archive may be."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GZIP: Final = b"\x1f\x8b"
_SHOWN: Final = 12  # characters of a commit


class RepositoryMissingError(errors.FlowNotStoredError):
    """A host has no such repository, or hides it from us."""


class RefMissingError(errors.FlowNotStoredError):
    """A repository has no such branch, tag or commit."""


class PathMissingError(errors.StorageError, FileNotFoundError):
    """A commit has no file or folder at a path."""


class ReadOnlyError(errors.StorageError, PermissionError):
    """A repository's file system was asked to write."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a commit: its path, its size in bytes and its id in git, where the host tells them."""

    path: str
    type: Literal["file", "directory", "submodule"]
    size: int | None = None
    id: str | None = None
    is_link: bool = False


class CommitFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """The files of *repository* at one commit, which *ref* (a branch, a tag, a commit) stands for when first asked.

    Nothing can be written. What goes wrong is an error of `penstock_fsspec.rest` or of this module; as with any file
    system a missing path is a FileNotFoundError, too. A subclass asks its host, with `client`, and may raise
    AbsentError wherever it does.
    """

    cachable: ClassVar[bool] = False  # a branch that was resolved once is not resolved for everybody after
    _strip_tokenize_options: ClassVar[tuple[str, ...]] = ("token",)  # so it is neither kept, nor pickled, nor in JSON

    def __init__(self, client: RestClient, repository: str, ref: str | None, **options: Any) -> None:
        """Ask for nothing yet."""
        super().__init__(**options)
        self.client = client
        self.repository = repository
        self.ref = ref
        self._commit: str | None = None
        self._resolving = threading.Lock()
        self._folders: dict[str, list[Entry]] = {}

    # What a host has to tell.

    def look_up_repository(self) -> object:
        """Ask for the repository itself."""
        raise NotImplementedError

    def resolve(self) -> str:
        """Return the commit that `ref` stands for, that of the default branch if it is None."""
        raise NotImplementedError

    def list_folder(self, folder: Entry) -> Iterable[Entry]:
        """Return what is in *folder*, and below it if the host tells that too."""
        raise NotImplementedError

    def read_file(self, file: Entry) -> bytes:
        """Return the content of *file*."""
        raise NotImplementedError

    def download(self) -> bytes:
        """Return the commit as a tar.gz, all of it in one folder."""
        raise NotImplementedError

    def size_of(self, file: Entry) -> int:
        """Return the size of a *file* that was listed without."""
        return len(self.read_file(file))

    # What follows from that.

    @property
    def commit(self) -> str:
        """The commit, in full; it stays the same for the life of this object."""
        with self._resolving:
            if self._commit is None:
                self._commit = self._resolved()
            return self._commit

    def archive(self) -> bytes:
        """Return the commit as the host packs it: a tar.gz with everything in one folder."""
        commit = self.commit
        with self._missing(commit):
            content = self.download()
        if not content.startswith(_GZIP):
            login = "" if self.client.has_token else f'; a private repository needs a token in "{self.client.secret}"'
            raise ServiceError(
                f"What {self.client.service} gives as the archive of {self.at} is no tar.gz. Check that "
                f"{self.client.address} is the address of its API, and that nobody asks for a login{login}"
            )
        return content

    @property
    def at(self) -> str:
        """Which repository at which ref or commit, for messages."""
        if self._commit is None or self._commit == self.ref:
            return f"{self.repository} at {_short(self.ref) if self.ref else 'its default branch'}"
        return f"{self.repository} at {self.ref or 'its default branch'} ({_short(self._commit)})"

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return what is known of *path*: name, type, size, id in git, and whether it is a symbolic link."""
        entry = self._entry(self._strip_protocol(path))
        if entry.type == "file" and entry.size is None:
            with self._missing(self.commit):
                entry = replace(entry, size=self.size_of(entry))
        return _info(entry)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT002 - as fsspec has it
        """Return what is in a folder; a size that the host tells for single files only is None."""
        entry = self._entry(self._strip_protocol(path))
        entries = [entry] if entry.type == "file" else self._children(entry)
        return [_info(one) if detail else one.path for one in entries]

    def walk(self, path: str, *args: Any, **options: Any) -> Iterator[Any]:
        """Return folders with what is in them, none for a path that is not there; raises if the host does not tell.

        fsspec leaves out whatever cannot be listed, and `find`, `glob` and `get` with it.
        """
        walked: Iterator[Any] = super().walk(path, *args, **{"on_error": _unless_missing, **options})
        return walked

    def exists(self, path: str, **_: Any) -> bool:
        """Return whether there is something; raises if the host does not tell."""
        return self._type(path) is not None

    def isfile(self, path: str) -> bool:
        """Return whether there is a file; raises if the host does not tell."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Return whether there is a folder; raises if the host does not tell."""
        return self._type(path) == "directory"

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return the content of a file, or its bytes from *start* to *end*."""
        entry = self._entry(self._strip_protocol(path))
        if entry.type != "file":
            raise IsADirectoryError(f"{entry.path or '/'} in {self.at} is a {entry.type}, not a file")
        with self._missing(self.commit):
            content = self.read_file(entry)
        if entry.id is not None and _blob_id(content, entry.id) != entry.id:
            raise ServiceError(
                f"What {self.client.service} gives as {entry.path} of {self.at} is not what the commit holds: "
                f"{len(content):,} bytes came. Try again; if it stays so, ask those who run {self.client.address}"
            )
        return content[start:end]

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BytesIO:
        if mode != "rb":
            self._refuse()
        return io.BytesIO(self.cat_file(path))

    def _refuse(self, *_args: Any, **_options: Any) -> NoReturn:
        raise ReadOnlyError(f"The file system of {self.at} can only be read; push to the repository instead")

    cp_file = mkdir = makedirs = mv = pipe_file = put_file = rm = rm_file = rmdir = touch = _rm = _refuse

    def __repr__(self) -> str:
        """Name repository, ref and host."""
        return f"<{type(self).__name__} {self.at}, {self.client.address}>"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        stripped = super()._strip_protocol(path)
        return stripped.strip("/") if isinstance(stripped, str) else [one.strip("/") for one in stripped]

    def _resolved(self) -> str:
        if self.ref is not None and _COMMIT.fullmatch(self.ref):
            return self.ref
        with self._missing(self.ref):
            commit = self.resolve()
        if not _COMMIT.fullmatch(commit):
            raise ServiceError(f"{self.client.service} names the commit {commit[:80]!r} for {self.at}; that is none")
        return commit

    @contextmanager
    def _missing(self, ref: str | None) -> Iterator[None]:
        """Say what it is that is missing, where a host does not find something inside the block."""
        try:
            yield
        except AbsentError as error:
            try:
                self.look_up_repository()
            except AbsentError:
                raise self._no_repository() from error
            raise self._no_ref(ref) from error

    def _no_repository(self) -> RepositoryMissingError:
        place = f'the secret "{self.client.secret}"'
        if self.client.has_token:
            hint = f"Correct the name, or put a token into {place} that may read it"
        else:
            hint = f"Correct the name; if it is private, put a token into {place}"
        return RepositoryMissingError(f"{self.client.service} knows no repository {self.repository}. {hint}")

    def _no_ref(self, ref: str | None) -> RefMissingError:
        if ref is None:
            message = f"{self.repository} on {self.client.service} has no default branch, or nothing in it; push first"
        elif _COMMIT.fullmatch(ref):
            message = (
                f"{self.repository} on {self.client.service} has no commit {ref}: it was never pushed, or its branch "
                "was since rewritten and the commit removed. Register the flow again, from a ref that is there"
            )
        else:
            message = (
                f'{self.repository} on {self.client.service} has no branch, tag or commit "{ref}". '
                "Push it, or correct the ref"
            )
        return RefMissingError(message)

    def _type(self, path: str) -> str | None:
        try:
            return str(_info(self._entry(self._strip_protocol(path)))["type"])
        except FileNotFoundError:
            return None

    def _entry(self, path: str) -> Entry:
        if not path:
            return Entry("", "directory")
        children = self._children(self._entry(path.rpartition("/")[0]))
        for child in children:
            if child.path == path:
                return child
        near = errors.did_you_mean(path, [child.path for child in children])
        raise PathMissingError(
            f"There is no {path} in {self.at} on {self.client.service}.{near} Correct the path, or push the file"
        )

    def _children(self, folder: Entry) -> list[Entry]:
        if folder.type != "directory":
            return []
        if folder.path not in self._folders:
            found: dict[str, list[Entry]] = {folder.path: []}
            with self._missing(self.commit):
                for entry in self.list_folder(folder):
                    found.setdefault(self._parent_of(entry, folder), []).append(entry)
            for entries in found.values():
                entries.sort(key=lambda entry: entry.path)
            self._folders.update(found)
        return self._folders[folder.path]

    def _parent_of(self, entry: Entry, folder: Entry) -> str:
        """Return the folder that *entry* is in; raises ServiceError if that is not *folder* or one below it."""
        parts = entry.path.split("/")
        inside = not folder.path or entry.path.startswith(f"{folder.path}/")
        if not inside or any(part in ("", ".", "..") or "\0" in part for part in parts):
            where = f"{folder.path or '/'} of {self.at}"
            raise ServiceError(f"{self.client.service} lists {entry.path!r} in {where}, and no path is like that")
        return "/".join(parts[:-1])


def _unless_missing(error: Exception) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _info(entry: Entry) -> dict[str, Any]:
    is_file = entry.type == "file"
    return {
        "name": entry.path,
        "type": "file" if is_file else "directory",  # a submodule is the empty folder that a plain clone has
        "size": entry.size if is_file else 0,
        "id": entry.id,
        "islink": entry.is_link,
    }


def _blob_id(content: bytes, like: str) -> str:
    """Return the id that git gives to *content*, by the hash that *like* was made with."""
    digest = hashlib.sha1(usedforsecurity=False) if len(like) == 40 else hashlib.sha256()  # noqa: PLR2004
    digest.update(b"blob %d\0" % len(content) + content)
    return digest.hexdigest()


def _short(ref: str) -> str:
    return ref[:_SHOWN] if _COMMIT.fullmatch(ref) else ref
