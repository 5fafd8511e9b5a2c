"""A file is the old one or the new one, whatever fails."""

import errno
import os
import stat
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from penstock_fsspec import atomic

_CALLS = {"fsync": (os, "fsync"), "rename": (Path, "replace")}


class InPlace(MemoryFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """A file system that writes in place, as FTP does: it has no put of its own."""

    protocol = "inplace"
    cachable = False
    pipe_file = AbstractFileSystem.pipe_file


@pytest.fixture
def local() -> LocalFileSystem:
    return LocalFileSystem()


@pytest.fixture
def folder() -> str:
    return f"/{uuid.uuid4().hex}"


def full_disk(*args: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    local: LocalFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(*_CALLS[call], full_disk)
    with pytest.raises(OSError, match="No space"):
        atomic.replace(local, str(path), b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [atomic.replace, atomic.create])
def test_a_share_whose_folders_cannot_be_synced_holds_files_all_the_same(
    local: LocalFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    codes = {"folder": errno.EINVAL}
    sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(codes["folder"], "no sync of a folder")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write(local, str(tmp_path / "new" / "file"), b"content")
    assert (tmp_path / "new" / "file").read_bytes() == b"content"
    codes["folder"] = errno.EIO
    with pytest.raises(OSError, match="no sync"):
        write(local, str(tmp_path / "other"), b"content")


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_failure_to_create_leaves_nothing(
    local: LocalFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(*_CALLS[call], full_disk)
    with pytest.raises(OSError, match="No space"):
        atomic.create(local, str(tmp_path / "file"), b"new")
    assert not list(tmp_path.iterdir())


def test_what_is_written_and_the_folders_it_needs_last(
    local: LocalFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    atomic.replace(local, f"{tmp_path}/a/b/file", b"content")
    assert synced[:2] == [str(tmp_path), f"{tmp_path}/a"]
    assert synced[2].endswith(".part")
    assert synced[3] == f"{tmp_path}/a/b"


def test_a_file_has_the_rights_that_the_umask_leaves(local: LocalFileSystem, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    atomic.replace(local, f"{tmp_path}/file", b"")
    atomic.create(local, f"{tmp_path}/new", b"")
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "file", "new")} == {
        stat.S_IMODE(plain.stat().st_mode)
    }


@pytest.mark.parametrize(
    "filesystem", [MemoryFileSystem(), InPlace(), LocalFileSystem()], ids=lambda f: type(f).__name__
)
def test_creating_what_is_there_is_refused(filesystem: AbstractFileSystem, tmp_path: Path) -> None:
    address = f"{tmp_path}/folder/file"
    atomic.create(filesystem, address, b"old")
    with pytest.raises(FileExistsError):
        atomic.create(filesystem, address, b"new")
    assert filesystem.cat_file(address) == b"old"
    atomic.replace(filesystem, address, b"new")
    assert filesystem.cat_file(address) == b"new"


def test_many_threads_create_one_file_and_one_of_them_does(folder: str) -> None:
    for filesystem in (MemoryFileSystem(), InPlace()):

        def create(content: bytes, filesystem: AbstractFileSystem = filesystem) -> bytes | None:
            try:
                atomic.create(filesystem, f"{folder}/raced", content)
            except FileExistsError:
                return None
            return content

        with ThreadPoolExecutor(8) as pool:
            made = [content for content in pool.map(create, [str(n).encode() for n in range(200)]) if content]
        assert made == [filesystem.cat_file(f"{folder}/raced")]
        filesystem.rm_file(f"{folder}/raced")


def test_a_place_that_does_not_answer_is_not_taken_for_an_empty_one(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filesystem = InPlace()
    atomic.create(filesystem, f"{folder}/file", b"old")
    monkeypatch.setattr(InPlace, "info", full_disk)
    with pytest.raises(OSError, match="No space"):
        atomic.create(filesystem, f"{folder}/file", b"new")
    assert filesystem.cat_file(f"{folder}/file") == b"old"


def test_an_asynchronous_file_system_puts_whole_objects() -> None:
    class Remote(AsyncFileSystem):  # type: ignore[misc]  # fsspec ships no types
        cachable = False
        stored: ClassVar[dict[str, tuple[bytes, str]]] = {}

        async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
            self.stored[path] = value, mode

    atomic.replace(Remote(), "bucket/a", b"1")
    atomic.create(Remote(), "bucket/b", b"2")
    assert Remote.stored == {"bucket/a": (b"1", "overwrite"), "bucket/b": (b"2", "create")}


def test_a_file_system_that_writes_in_place_never_shows_a_part(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filesystem = InPlace()
    atomic.replace(filesystem, f"{folder}/file", b"old")

    def cut(self: InPlace, path: str, value: bytes, **options: Any) -> None:
        with self.open(path, "wb") as file:
            file.write(value[:1])
        raise ConnectionResetError

    monkeypatch.setattr(atomic, "_puts_whole_objects", lambda _: False)
    monkeypatch.setattr(InPlace, "pipe_file", cut)
    with pytest.raises(ConnectionResetError):
        atomic.replace(filesystem, f"{folder}/file", b"new")
    assert filesystem.cat_file(f"{folder}/file") == b"old"
    assert filesystem.ls(folder, detail=False) == [f"{folder}/file"]
