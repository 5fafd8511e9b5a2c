"""One SQLite file.

A writing transaction takes the lock file beside the database, then `BEGIN IMMEDIATE`. SQLite alone lets
writers starve and refuses one that began by reading; behind the lock file each has its turn and nobody is
told "database is locked". Reading transactions take no lock: in WAL mode they see the last commit.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import URL, Connection, Engine, create_engine, event

from penstock import clock, errors
from penstock_backend import migrations
from penstock_backend.database import Database, Watch

_WAIT_SECONDS: Final = 30
_LOOK_SECONDS: Final = 0.02
_IMMEDIATE: Final = "penstock_immediate"
_MOUNTS: Final = Path("/proc/self/mounts")
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "ceph", "fuse.ceph"})


class _Watch(Watch):
    """Tells whenever anything was committed through another connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._seen = self._version()

    def _wait(self, seconds: float) -> bool:
        deadline = clock.monotonic() + seconds
        while (version := self._version()) == self._seen and clock.monotonic() < deadline:
            clock.sleep(min(_LOOK_SECONDS, seconds))
        before, self._seen = self._seen, version
        return bool(before != version)

    def _version(self) -> Any:
        return self._driver.execute("PRAGMA data_version").fetchone()


class SQLiteFile(Database):
    """The database in the file at *path*, which is made with its folder if it is not there."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        super().__init__(str(path))
        self.path = path
        self._writer = threading.Lock()
        self._lock = path.with_name(f"{path.name}.lock")

    def _open(self) -> Engine:
        _refuse_network(self.path)
        with self._reaching():
            self.path.parent.mkdir(parents=True, exist_ok=True)
        engine = _engine(self.path)
        try:
            with self._migrate(engine) as connection:
                migrations.bring_up(connection, self.place, self.keep)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def keep(self, revision: str) -> Path:
        """Take a copy of the file as *revision* has it, before that changes, and return the copy's path, a new one."""
        stem = f"{self.path.name}.{revision}-{clock.now():%Y%m%dT%H%M%SZ}"
        names = chain([stem], (f"{stem}-{number}" for number in count(2)))
        copy = next(path for name in names if not (path := self.path.with_name(name)).exists())
        self.copy_to(copy)
        return copy

    def copy_to(self, target: Path) -> None:
        """Write the database as it is now to *target*, whole or not at all, while others use it.

        Raises BackendUnreachableError naming *target* if it cannot be written.
        """
        unfinished = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
        try:
            with closing(sqlite3.connect(self.path)) as here, closing(sqlite3.connect(unfinished)) as there:
                here.backup(there)
            unfinished.replace(target)
        except (sqlite3.Error, OSError) as error:
            expected = "Expected a folder that is there and can be written, and room for all of it"
            message = f"The copy {target} of the database {self.path} cannot be written: {error}. {expected}"
            raise errors.BackendUnreachableError(message) from error
        finally:
            with suppress(OSError):
                unfinished.unlink()

    @contextmanager
    def _migrate(self, engine: Engine) -> Iterator[Connection]:
        with self._exclusive(), _without_references(engine) as connection:
            yield connection

    @contextmanager
    def _watch(self, engine: Engine) -> Iterator[Watch]:
        with engine.connect() as connection:
            yield _Watch(connection)

    def _read(self, engine: Engine) -> AbstractContextManager[Connection]:
        return engine.begin()

    @contextmanager
    def _write(self, engine: Engine) -> Iterator[Connection]:
        options = {_IMMEDIATE: True}
        with self._exclusive(), engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._writer:
            with self._reaching():
                file = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                with self._reaching():
                    _take_turn(file, _WAIT_SECONDS)
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # for a process that was forked meanwhile has the file, too
                os.close(file)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            held = f"another process has held {self._lock} for {_WAIT_SECONDS} s"
            message = f"The database {self.path} is busy: {held}"
            raise errors.BackendUnreachableError(message) from error
        except OSError as error:
            expected = "Expected a file in a folder that can be written"
            message = f"The database {self.path} cannot be opened: {error.strerror or error}. {expected}"
            raise errors.BackendUnreachableError(message) from error


def _take_turn(file: int, seconds: float) -> None:
    """Lock *file*, or raise TimeoutError after *seconds*.

    Who has to wait does so in the system's own queue, on a thread, and not by asking now and then: that is fair, and
    costs the others nothing.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        turn = threading.Event()

        def wait() -> None:
            fcntl.flock(file, fcntl.LOCK_EX)
            turn.set()

        threading.Thread(target=wait, daemon=True).start()
        if not turn.wait(seconds):
            raise TimeoutError from None


def _refuse_network(path: Path) -> None:
    """Raise BackendUnreachableError where *path* lies on a file system whose locks SQLite cannot rely on."""
    if not _MOUNTS.exists():
        return
    mounts = [line.split()[1:3] for line in _MOUNTS.read_text(encoding="utf-8").splitlines()]
    below = [(len(place), kind) for place, kind in mounts if path.resolve().is_relative_to(place)]
    _, kind = max(below, default=(0, ""))
    if kind in _NETWORK:
        expected = (
            "Expected a disk of this machine: WAL files and locks cannot be shared. Or use postgresql://HOST/NAME"
        )
        raise errors.BackendUnreachableError(f"The database {path} lies on a network file system ({kind}). {expected}")


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _WAIT_SECONDS, "isolation_level": None},  # transactions are begun below
        max_overflow=-1,  # as many connections as there are threads
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def _without_references(engine: Engine) -> Iterator[Connection]:
    """Give a connection to migrate with: a table that is made anew must not take along the rows that refer to it."""
    with engine.connect().execution_options(**{_IMMEDIATE: True}) as connection:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL").fetchall()
        cursor.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
        finally:
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()
