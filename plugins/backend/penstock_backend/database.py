"""One SQLite file: opening it, and the two kinds of transaction on it.

A writing transaction takes the lock file beside the database, then `BEGIN IMMEDIATE`. SQLite alone lets
writers starve and refuses one that began by reading; behind the lock file each has its turn and nobody is
told "database is locked". Reading transactions take no lock: in WAL mode they see the last commit.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import filelock
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

from penstock import errors
from penstock_backend import migrations

_WAIT_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.005
_IMMEDIATE: Final = "penstock_immediate"


class Database:
    """The file at *path*, opened and brought to this version's form at the first transaction."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        self.path = path
        self._turn = threading.Lock()
        self._lock = filelock.FileLock(f"{path}.lock", thread_local=False)
        self._engine: Engine | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database; raises BackendUnreachableError."""
        engine = self._opened()
        with self._explaining(), engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are on disk when the block ends; raises BackendUnreachableError."""
        engine = self._opened()
        with self._explaining(), self._exclusive(), _immediate(engine) as connection:
            yield connection

    @contextmanager
    def watching(self) -> Iterator["Watch"]:
        """Give what tells cheaply whether anybody else has written."""
        engine = self._opened()
        with self._explaining(), engine.connect() as connection:
            yield Watch(connection)

    def close(self) -> None:
        """Close the connections; the next transaction opens new ones."""
        with self._turn:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def _opened(self) -> Engine:
        engine = self._engine
        if engine is None:
            with self._reaching():
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._explaining(), self._exclusive():
                engine = self._engine = self._engine or self._open()
        return engine

    def _open(self) -> Engine:
        engine = _engine(self.path)
        try:
            with _without_references(engine) as connection:
                migrations.bring_up(connection, str(self.path))
        except BaseException:
            engine.dispose()
            raise
        return engine

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._turn:
            with self._reaching():
                held = self._lock.acquire(timeout=_WAIT_SECONDS, poll_interval=_POLL_SECONDS)
            with held:
                yield

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except filelock.Timeout as error:
            held = f"another process has held {self._lock.lock_file} for {_WAIT_SECONDS} s"
            message = f"The database {self.path} is busy: {held}"
            raise errors.BackendUnreachableError(message) from error
        except OSError as error:
            expected = "Expected a file in a folder that can be written"
            message = f"The database {self.path} cannot be opened: {error.strerror or error}. {expected}"
            raise errors.BackendUnreachableError(message) from error

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            message = f"The database {self.path} refuses what contradicts its content: {error.orig}"
            raise errors.ConflictError(message) from error
        except exc.DBAPIError as error:
            expected = "Expected a penstock database that can be written"
            message = f"The database {self.path} cannot be used: {error.orig}. {expected}"
            raise errors.BackendUnreachableError(message) from error


class Watch:
    """Tells whether the database was written to through another connection."""

    def __init__(self, connection: Connection) -> None:
        """Remember how the database is now."""
        self._connection = connection
        self._seen = self._version()

    def changed(self) -> bool:
        """Return whether there was a commit since the last call."""
        before, self._seen = self._seen, self._version()
        return bool(before != self._seen)

    def _version(self) -> Any:
        version = self._connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        self._connection.rollback()
        return version


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


@contextmanager
def _immediate(engine: Engine) -> Iterator[Connection]:
    with engine.connect().execution_options(**{_IMMEDIATE: True}) as connection, connection.begin():
        yield connection
