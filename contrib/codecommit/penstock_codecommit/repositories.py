"""A repository in AWS CodeCommit: what its refs stand for, and everything in it at a commit.

CodeCommit gives out no archives, so folders are listed and files read one by one, several at a time.
"""

import io
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from penstock import errors, redaction
from penstock_fsspec.packages import MOST_BYTES, MOST_FILES

_AT_ONCE: Final = 8  # requests
_BATCH: Final = 64  # files that are in memory before they are counted
_CONFIG: Final = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=_AT_ONCE,
)
_PROGRAM: Final = 0o755


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or symbolic link in a repository: its path, and the blob that holds its content or where it leads."""

    path: str
    blob: str
    kind: Literal["file", "program", "link"]


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository *repo*, which is called *name* in messages, through a client of boto3.

    Its methods raise FlowNotStoredError if what is asked for is not there, StorageUnreachableError.
    """

    client: Any  # boto3 carries no types
    repo: str
    name: str

    @classmethod
    @contextmanager
    def opened(cls, repo: str, name: str, options: Mapping[str, Any]) -> Iterator[Self]:
        """Connect with *options* of boto3's client for the time of the block."""
        with _explained(name, ""):
            try:
                client = boto3.session.Session().client("codecommit", **{"config": _CONFIG, **options})
            except (TypeError, ValueError) as error:
                message = f"The options of the client for {name} do not fit: {error}"
                raise errors.SettingsError(redaction.hidden(message)) from error
        try:
            yield cls(client, repo, name)
        finally:
            client.close()

    def commit(self, ref: str | None) -> str:
        """Return the id of the commit that a branch, tag or commit stands for, or the default branch."""
        given = {"commitSpecifier": ref} if ref else {}
        with _explained(self.name, f"ref {ref!r}" if ref else "commit on the default branch"):
            found = self.client.get_folder(repositoryName=self.repo, folderPath="/", **given)
        return str(found["commitId"])

    def archive(self, commit: str) -> bytes:
        """Return the files and links at *commit* as a tar file; raises StorageError if they are too much."""
        buffer, size = io.BytesIO(), 0
        with ThreadPoolExecutor(_AT_ONCE) as pool, tarfile.open(fileobj=buffer, mode="w") as archive:
            entries = self._entries(pool, commit)
            for start in range(0, len(entries), _BATCH):
                batch = entries[start : start + _BATCH]
                for entry, content in zip(batch, pool.map(self._content, batch), strict=True):
                    size += len(content)
                    self._bound(len(entries), size)
                    _add(archive, entry, content)
        return buffer.getvalue()

    def _entries(self, pool: ThreadPoolExecutor, commit: str) -> list[Entry]:
        """Return what lies in all folders, those of one depth at a time."""
        entries, folders, known = list[Entry](), ["/"], 0
        while folders:
            answers = list(pool.map(partial(self._folder, commit), folders))
            entries += [entry for answer in answers for entry in _listed(answer)]
            folders = [folder["absolutePath"] for answer in answers for folder in answer.get("subFolders", ())]
            known += len(folders)
            self._bound(known + len(entries), 0)
        return entries

    def _folder(self, commit: str, path: str) -> dict[str, Any]:
        with _explained(self.name, f"commit {commit}"):
            found: dict[str, Any] = self.client.get_folder(
                repositoryName=self.repo, commitSpecifier=commit, folderPath=path
            )
        return found

    def _content(self, entry: Entry) -> bytes:
        with _explained(self.name, f"file {entry.path!r}"):
            content: bytes = self.client.get_blob(repositoryName=self.repo, blobId=entry.blob)["content"]
        return content

    def _bound(self, files: int, size: int) -> None:
        if files > MOST_FILES or size > MOST_BYTES:
            message = f"{self.name} holds more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes"
            raise errors.StorageError(f"{message}; keep data out of it, or the flow in another repository")


def _listed(answer: Mapping[str, Any]) -> Iterator[Entry]:
    for file in answer.get("files", ()):
        yield Entry(file["absolutePath"], file["blobId"], "program" if file["fileMode"] == "EXECUTABLE" else "file")
    for link in answer.get("symbolicLinks", ()):
        yield Entry(link["absolutePath"], link["blobId"], "link")


def _add(archive: tarfile.TarFile, entry: Entry, content: bytes) -> None:
    info = tarfile.TarInfo(entry.path.removeprefix("/"))
    if entry.kind == "link":
        info.type, info.linkname = tarfile.SYMTYPE, content.decode(errors="surrogateescape")
        archive.addfile(info)
        return
    info.size = len(content)
    if entry.kind == "program":
        info.mode = _PROGRAM
    archive.addfile(info, io.BytesIO(content))


@contextmanager
def _explained(name: str, asked: str) -> Iterator[None]:
    """Turn what boto3 raises when *asked* is read from *name* into errors that say what to do."""
    try:
        yield
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        meaning = _MEANINGS.get(code, "{name} cannot be read; try again, or look at the state of the service")
        kind = errors.FlowNotStoredError if code in _ABSENT else errors.StorageUnreachableError
        message = f"{meaning.format(name=name, asked=asked)} (AWS says: {code} {said})"
        raise kind(redaction.hidden(message)) from error
    except BotoCoreError as error:
        advice = _LOCAL.get(type(error).__name__, "check that the service can be reached")
        raise errors.StorageUnreachableError(redaction.hidden(f"{name} cannot be read: {error}; {advice}")) from error


_ABSENT: Final = frozenset(
    {
        "RepositoryDoesNotExistException",
        "CommitDoesNotExistException",
        "InvalidCommitException",
        "FolderDoesNotExistException",
        "BlobIdDoesNotExistException",
    }
)
_REF: Final = "There is no {asked} in {name}; correct it, push it, or register the flow again"
_REFUSED: Final = "{name} refuses the credentials of AWS that are found here"
_MEANINGS: Final[dict[str, str]] = {
    **dict.fromkeys(_ABSENT, _REF),
    "RepositoryDoesNotExistException": "There is no repository {name} in this account and region; correct them",
    "FileTooLargeException": "{name} has a {asked} that is larger than CodeCommit gives out; use penstock-git",
    "AccessDeniedException": "{name} may not be read; allow codecommit:GetFolder and codecommit:GetBlob",
    "ExpiredTokenException": f"{_REFUSED}, since they have expired; renew them",
    "UnrecognizedClientException": f"{_REFUSED}; correct or renew them",
    "InvalidSignatureException": f"{_REFUSED}; correct them, or this machine's clock",
    "ThrottlingException": "{name} is asked too often; try again later",
    "EncryptionKeyAccessDeniedException": "{name} is encrypted with a key that may not be used here; allow it",
    "EncryptionKeyDisabledException": "{name} is encrypted with a key that is disabled; enable it",
}
_LOCAL: Final[dict[str, str]] = {
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name secrets in client_options",
    "PartialCredentialsError": "set all of what is missing",
    "NoRegionError": "set AWS_DEFAULT_REGION, or region_name in client_options",
    "ProfileNotFound": "correct AWS_PROFILE",
}
