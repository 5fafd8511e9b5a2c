"""Writing files so that a reader, also after a crash, finds the old content or the new and never a part.

On this machine's disks: a temporary name in the same folder, fsync, rename, fsync of the folder. A file
system with a put of its own, as object stores have, writes whole objects. On any other: a temporary name
and a move.
"""

import contextlib
import errno
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

_looking: Final = threading.Lock()
_RIGHTS: Final = 0o666  # less what the umask takes, as for any file
_WITHOUT_SYNC: Final = (errno.EINVAL, errno.ENOTSUP)  # what shares of Windows answer where a folder is to be synced


def replace(filesystem: AbstractFileSystem, address: str, content: bytes) -> None:
    """Write *content* to *address*, in place of what may be there; raises what the file system raises."""
    path = str(filesystem._strip_protocol(address))  # noqa: SLF001 - fsspec has no public name for it
    if isinstance(filesystem, LocalFileSystem):
        _replace_locally(Path(path), content)
    elif _puts_whole_objects(filesystem):
        filesystem.pipe_file(path, content)
    else:
        _move_into_place(filesystem, path, content)


def create(filesystem: AbstractFileSystem, address: str, content: bytes) -> None:
    """Write *content* to *address*; raises FileExistsError if there is something, else as `replace`."""
    path = str(filesystem._strip_protocol(address))  # noqa: SLF001 - as above
    if isinstance(filesystem, LocalFileSystem):
        with _reserved(Path(path)):
            _replace_locally(Path(path), content)
    elif _puts_whole_objects(filesystem) and not isinstance(filesystem, MemoryFileSystem):
        filesystem.pipe_file(path, content, mode="create")
    else:
        with _looking:  # at whether it is there; the file system has nothing of its own for that
            if holds(filesystem, path):
                raise FileExistsError(path)
            replace(filesystem, path, content)


def holds(filesystem: AbstractFileSystem, address: str) -> bool:
    """Return whether there is a file; raises what the file system raises, which its own `isfile` takes for no."""
    path = str(filesystem._strip_protocol(address))  # noqa: SLF001 - as above
    try:
        return bool(filesystem.info(path)["type"] == "file")
    except FileNotFoundError:
        return False


def _puts_whole_objects(filesystem: AbstractFileSystem) -> bool:
    own = filesystem.pipe_file  # of asynchronous file systems only the instance has one
    return getattr(own, "__func__", None) is not AbstractFileSystem.pipe_file


def _replace_locally(path: Path, content: bytes) -> None:
    _make_folder(path.parent)
    temporary = path.with_name(_unused_name())
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _RIGHTS)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def _reserved(path: Path) -> Iterator[None]:
    """Hold the name *path*, which nobody else has, and give it back if the block fails."""
    _make_folder(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _RIGHTS))
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def _make_folder(folder: Path) -> None:
    """Make *folder* and those above it, each of them lasting."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _WITHOUT_SYNC:
            raise
    finally:
        os.close(descriptor)


def _move_into_place(filesystem: AbstractFileSystem, path: str, content: bytes) -> None:
    folder = path.rpartition("/")[0]
    temporary = f"{folder}/{_unused_name()}"
    filesystem.makedirs(folder, exist_ok=True)
    try:
        filesystem.pipe_file(temporary, content)
        filesystem.mv(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            filesystem.rm_file(temporary)
        raise


def _unused_name() -> str:
    return f".{uuid.uuid4().hex}.part"
