"""Packages: a script with the files around it, as one tar archive that is the same wherever it is made.

Its files are in the order of their names, without times, owners or links, and not compressed, so that its digest says
what is in it. Archives of others are read with suspicion: what leads out of them, or grows without end, is refused.
"""

import atexit
import io
import os
import posixpath
import re
import shutil
import stat
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock import errors
from penstock.storage import Reference, load_flows
from penstock.storage.scripts import choose

if TYPE_CHECKING:
    from penstock import Flow

MOST_BYTES: Final = 1 << 30
"""How much the files of a package may take together: 1 GiB."""
MOST_FILES: Final = 100_000
"""How many files a package may have."""
_LEFT_OUT: Final = re.compile(r"__pycache__|\..*|.*\.py[co]|.*\.egg-info|node_modules")
_FILE, _PROGRAM = 0o644, 0o755
_DEEPEST: Final = 40  # links to links, as in Linux
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")  # the first file, or the end of one that has none


@dataclass(frozen=True, slots=True)
class File:
    """A file of a package: its path with `/` between the parts, its content, and whether it is a program."""

    name: str
    content: bytes
    executable: bool = False


def pack(files: Iterable[File]) -> bytes:
    """Return the package of *files*; raises ValueError for a name that leads out of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(files, key=lambda file: file.name):
            entry = tarfile.TarInfo(_checked(file.name))
            entry.size, entry.mode = len(file.content), _PROGRAM if file.executable else _FILE
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def pack_folder(folder: Path) -> bytes:
    """Return the package of what lies in *folder*, without caches, hidden files, and links that lead out of it.

    Raises ValueError if it is too much, OSError if it cannot be read.
    """
    bound, root = _Bound(), folder.resolve()

    def walked(inner: Path) -> Iterator[File]:
        for path in inner.iterdir():
            if _LEFT_OUT.fullmatch(path.name) or not path.resolve().is_relative_to(root):
                continue
            if path.is_dir() and not path.is_symlink():
                yield from walked(path)
            elif path.is_file():
                bound.add(path.stat().st_size)
                executable = bool(path.stat().st_mode & stat.S_IXUSR)
                yield File(path.relative_to(folder).as_posix(), path.read_bytes(), executable)

    return pack(walked(folder))


def repack(archive: bytes, *, strip: int = 0) -> bytes:
    """Return the package of the files in *archive*, a tar (compressed or not) or zip file of somebody else.

    The first *strip* parts of every name are left off. A link becomes a copy of the file or files it leads to. Raises
    ValueError if it cannot be read, leads out of itself, or is too much.
    """
    files = _followed(*_read(archive))
    shorter = (("/".join(file.name.split("/")[strip:]), file) for file in files.values())
    return pack(File(name, file.content, file.executable) for name, file in shorter if name)


def read(package: bytes, name: str) -> bytes | None:
    """Return the content of a file of a package, or None if it has none of that name."""
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        try:
            file = archive.extractfile(name)
        except KeyError:
            return None
        return file.read() if file is not None else None


def load(name: str, reference: Reference, package: bytes) -> "Flow":
    """Return the flow *name* that the script `reference.entry` in *package* defines.

    The files are unpacked to a folder that lives as long as this process. The script can import what lies beside it and
    below the package's root, relatively too. Raises FlowFileError.
    """
    folder = Path(tempfile.mkdtemp(prefix="penstock-package-"))
    atexit.register(_remove, folder, os.getpid())
    try:
        files, links = _read(package)
        script = folder / _checked(reference.entry or "")
        for file in files.values():
            _write(folder / file.name, file)
        if links or not script.is_file():
            raise ValueError("it has links" if links else f"it has no file {reference.entry!r}")  # noqa: TRY301
    except (ValueError, OSError) as error:
        raise errors.FlowFileError(f"{reference.location} is no package of a flow: {error}") from error
    sys.path.insert(0, str(folder))
    flows = load_flows(script)
    _travel_by_value(folder)
    return choose(flows, name, f"{reference.location}:{reference.entry}")


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # and not in a child of it, that ends earlier
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.content)
    path.chmod(_PROGRAM if file.executable else _FILE)


def _travel_by_value(folder: Path) -> None:
    """Let functions out of modules below *folder* be sent to processes that cannot import them."""
    import cloudpickle

    for name, module in list(sys.modules.items()):
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
        if "." not in name and any(Path(place).is_relative_to(folder) for place in places if place):
            cloudpickle.register_pickle_by_value(module)


def _checked(name: str) -> str:
    parts = name.split("/")
    if "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{name!r} leads out of it, or names no file")
    return name


class _Bound:
    """Counts files and bytes, and raises ValueError when they are too many."""

    def __init__(self) -> None:
        self.files = self.bytes = 0

    def add(self, size: int) -> None:
        self.files, self.bytes = self.files + 1, self.bytes + size
        if self.files > MOST_FILES or self.bytes > MOST_BYTES:
            raise ValueError(f"there are more than {MOST_FILES} files or {MOST_BYTES} bytes in it")


@dataclass(frozen=True, slots=True)
class _Member:
    """An entry of an archive: a link if it has a target, else a file to be read."""

    name: str
    size: int
    executable: bool
    target: str | None
    content: Callable[[], bytes]


def _read(archive: bytes) -> tuple[dict[str, File], dict[str, str]]:
    """Return the files of an archive, and its links with what they lead to, all inside of it."""
    files: dict[str, File] = {}
    links: dict[str, str] = {}
    bound = _Bound()
    members = _zip_members if archive.startswith(_ZIP) else _tar_members  # a tar may end with a zip file of its own
    try:
        for member in members(archive):
            name = _checked(member.name)
            bound.add(member.size)
            if member.target is not None:
                links[name] = _checked(posixpath.normpath(member.target))
            else:
                files[name] = File(name, member.content(), member.executable)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, zlib.error) as error:
        raise ValueError(f"the archive cannot be read: {error or type(error).__name__}") from error
    return files, links


def _tar_members(archive: bytes) -> Iterator[_Member]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r|*") as opened:  # one pass: nothing is expanded twice
        for member in opened:
            name, target = member.name.removeprefix("./"), None
            if member.isdir():
                continue
            if member.issym():
                target = posixpath.join(posixpath.dirname(name), member.linkname)
            elif member.islnk():
                target = member.linkname.removeprefix("./")
            elif not member.isreg():
                raise ValueError(f"{name!r} is neither a file, a folder nor a link")
            executable = bool(member.mode & stat.S_IXUSR)
            yield _Member(name, member.size, executable, target, partial(_tar_content, opened, member))


def _tar_content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = opened.extractfile(member)
    return file.read() if file is not None else b""


def _zip_members(archive: bytes) -> Iterator[_Member]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for member in opened.infolist():
            mode = member.external_attr >> 16
            if member.is_dir():
                continue
            target = None
            if stat.S_ISLNK(mode):
                target = posixpath.join(posixpath.dirname(member.filename), opened.read(member).decode())
            executable = bool(mode & stat.S_IXUSR)
            yield _Member(member.filename, member.file_size, executable, target, partial(opened.read, member))


def _followed(files: dict[str, File], links: dict[str, str]) -> dict[str, File]:
    """Return *files* with copies of what *links* lead to, be it by other links; those in a circle come last."""
    files, bound = dict(files), _Bound()
    for file in files.values():
        bound.add(len(file.content))
    for left in reversed(range(_DEEPEST)):
        free = _free(links) if left else set()
        for name in sorted(free or links):
            for copy in _copied(name, links[name], files):
                bound.add(len(copy.content))
                files[copy.name] = copy
        links = {name: target for name, target in links.items() if free and name not in free}
    return files


def _free(links: dict[str, str]) -> set[str]:
    """Return those of *links* with no other one on the way to what they lead to, nor in it."""
    below = Counter(folder for name in links for folder in _way(name))
    return {
        name
        for name, target in links.items()
        if not any(one in links and one != name for one in _way(target))
        and below[target] == name.startswith(f"{target}/")
    }


def _way(path: str) -> Iterator[str]:
    """Yield the folders that *path* is in, and itself."""
    return accumulate(path.split("/"), "{}/{}".format)


def _copied(name: str, target: str, files: dict[str, File]) -> list[File]:
    """Return what a link stands for: the file it leads to, or those of the folder."""
    if target in files:
        return [File(name, files[target].content, files[target].executable)]
    inside = [file for known, file in files.items() if known.startswith(f"{target}/")]
    if not inside:
        raise ValueError(f"{name!r} is a link to {target!r}, which is not in it")
    return [File(f"{name}{file.name.removeprefix(target)}", file.content, file.executable) for file in inside]
