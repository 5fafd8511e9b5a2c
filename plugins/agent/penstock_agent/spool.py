"""The spool: what a flow-run process has to tell its backend, in a file that outlives the process.

A record is a line of JSON, added with one write(2). It is the system's when that returns, so whatever kills the
process then takes nothing along; there is no fsync, so a machine that loses its power may lose the last seconds. A
line without an end is no record.
"""

import fcntl
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError, from_json, to_json

from penstock import settings
from penstock_fsspec.paths import safe_join

_CHUNK: Final = 1 << 20
_MARK: Final = struct.Struct("<4q")
"""A place twice, as nothing keeps one process from reading what another is writing: the two differ then."""
_END: Final = b'{"end":true}\n'
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Origin(BaseModel):
    """The first record of a spool: the run that it is about, under which lease, for which backend, by which process."""

    model_config = ConfigDict(frozen=True)

    run: str
    fence: int
    attempt: int
    backend: str = ""
    pid: int = 0
    boot: str = ""


class Place(NamedTuple):
    """How far a spool was sent: the position of the next record, and how many log lines lie before it."""

    position: int
    lines: int


class Spool:
    """A file of records, which its process writes and whoever ends the run reads.

    It is deleted by who knows that all of it has arrived. Until then each who has to do with it holds a shared lock;
    who takes it over needs that nobody else does.

    Who sends it notes how far that has come: its own process in the file, another in a file beside it, the mark. The
    process makes the mark to let another send, and deletes it to send itself.
    """

    def __init__(self, path: Path) -> None:
        """Open the file *path*, made now if need be; raises OSError."""
        self.path = path
        self._mark_path = path.with_suffix(".sent")
        self._file = _opened(path)
        self._lock = threading.RLock()
        self._unwritten = bytearray()
        self._written = os.fstat(self._file).st_size

    @property
    def size(self) -> int:
        """How many bytes it holds, those that a full disk did not take included."""
        return self._written + len(self._unwritten)

    def share(self) -> None:
        """Let children that are forked from this process write too: none of them finds the lock taken."""
        release = self._lock.release
        os.register_at_fork(before=self._lock.acquire, after_in_parent=release, after_in_child=release)

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record. What a full disk does not take is kept in memory, and written first of all the next time."""
        line = _encoded(record)
        with self._lock:
            self._unwritten += line
            self.settle()

    def settle(self) -> bool:
        """Write what could not be written before; return whether all of it is in the file now."""
        with self._lock:
            try:
                while self._unwritten:
                    written = os.write(self._file, self._unwritten)
                    del self._unwritten[:written]
                    self._written += written
            except OSError:
                return False
        return True

    def read(self, position: int, size: int = _CHUNK) -> bytes:
        """Return whole lines from *position* on, about *size* bytes of them."""
        found = os.pread(self._file, size, position)
        end = found.rfind(b"\n") + 1
        return found[:end] if end or len(found) < size else self.read(position, 2 * size)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the records from the first on."""
        position = 0
        while lines := self.read(position):
            position += len(lines)
            yield from filter(None, map(parsed, lines.splitlines()))

    def origin(self) -> Origin | None:
        """Return the first record, if the process came so far as to write it."""
        first = next(self.records(), {})
        return Origin.model_validate(first["origin"]) if "origin" in first else None

    def under_way(self) -> list[str]:
        """Return the names of the task runs that had begun and not ended."""
        last = {}
        for record in self.records():
            report = record.get("state", {})
            if report.get("slug") is not None:
                last[report["slug"], report["map_index"]] = report
        return [report["name"] for report in last.values() if report["state"]["type"] == "Running"]

    def fault(self) -> str | None:
        """Return why the process could not run the run at all, if it said so."""
        return next((str(record["fault"]) for record in self.records() if "fault" in record), None)

    def place(self) -> Place:
        """Return how far its records are known to have arrived."""
        with suppress(OSError, struct.error):
            position, lines, *again = _MARK.unpack(self._mark_path.read_bytes())
            if again == [position, lines]:
                return Place(position, lines)
        place = Place(0, 0)
        for record in self.records():
            if "sent" in record:
                place = Place(*record["sent"])
        return place

    def ends_at(self, place: Place) -> bool:
        """Return whether there is nothing after *place*, from a forked child neither."""
        return not self._unwritten and os.fstat(self._file).st_size == place.position

    def finish(self) -> None:
        """Note that its process has nothing more to tell, and waits for it to be sent."""
        self.write({"end": True})

    def is_finished(self) -> bool:
        """Return whether its process waits for it to be sent."""
        start = os.fstat(self._file).st_size - len(_END)
        return start >= 0 and os.pread(self._file, len(_END), start) == _END

    def lend(self) -> bool:
        """Let another process send it, until it is taken back; return whether the disk took the mark."""
        try:
            self._mark_path.touch(mode=0o600)
        except OSError:
            return False
        self.mark(Place(0, 0))
        return True

    def is_lent(self) -> bool:
        """Return whether a process other than its own is to send it."""
        return self._mark_path.exists()

    def mark(self, place: Place) -> None:
        """Note that it was sent up to *place* by the process that it is lent to."""
        with suppress(OSError):  # it was taken back, or the disk is full: some of it is sent twice
            file = os.open(self._mark_path, os.O_WRONLY)
            try:
                os.pwrite(file, _MARK.pack(*place, *place), 0)
            finally:
                os.close(file)

    def take_back(self) -> Place:
        """Let its own process send it from now on; return where to begin."""
        place = self.place()
        self.write({"sent": place})
        self._mark_path.unlink(missing_ok=True)
        return place

    def restart(self, origin: Origin, place: Place) -> Place:
        """Empty the file if all of it was sent, up to *place*, and return the place to go on from."""
        with self._lock:
            if not self.ends_at(place):
                return place
            os.ftruncate(self._file, 0)
            self._written = 0
            self.write({"origin": origin.model_dump()})
            self.write({"sent": [0, place.lines]})
            return Place(0, place.lines)

    def close(self) -> None:
        """Let go of the file; it may have been done before."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def remove(self) -> None:
        """Delete the file, all of which has arrived or is of no use any more."""
        self.path.unlink(missing_ok=True)
        self._mark_path.unlink(missing_ok=True)
        self.close()

    def taken_over(self) -> bool:
        """Return whether nobody else has to do with the file, and nobody can from now on."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _opened(path: Path) -> int:
    """Open the file under a shared lock; one that was deleted before the lock was had is made anew."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        fcntl.lockf(file, fcntl.LOCK_SH)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)


def folder() -> Path:
    """Return where the spools of this user's runs lie."""
    return settings.get().home.absolute() / "spool"


def path_of(run: str, fence: int) -> Path:
    """Return the file of a run that is held under *fence*."""
    return Path(safe_join(str(folder()), f"{run}-{fence}.jsonl"))


def _encoded(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line; half a surrogate pair, which is no text, becomes a question mark."""
    try:
        return to_json(record, serialize_unknown=True) + b"\n"
    except PydanticSerializationError:
        return _encoded(_as_text(record))


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return {key: _as_text(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the record on a line, or None if there is none."""
    try:
        record = from_json(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def boot() -> str:
    """Return what tells this boot of the machine from others, where it can be told: numbers of processes return."""
    return _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else ""
