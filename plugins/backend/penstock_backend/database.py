"""The database: opening it, and the two kinds of transaction on it."""

import importlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, exc, text

from penstock import clock, errors


class Watch(ABC):
    """Tells of flow runs that have become due or have ended, at any rate of those that others wrote of.

    It asks the driver, which is cheaper than to ask through SQLAlchemy, and can wait.
    """

    def __init__(self, connection: Connection) -> None:
        """Begin to watch through *connection*."""
        self._driver: Any = connection.connection.dbapi_connection
        self._error = connection.dialect.loaded_dbapi.Error

    def wait(self, seconds: float) -> bool:
        """Return whether there was one since the last call: as soon as there is, or after *seconds*."""
        try:
            return self._wait(seconds)
        except self._error as error:
            raise exc.DBAPIError("watching", {}, error) from error

    @abstractmethod
    def _wait(self, seconds: float) -> bool: ...


class Database(ABC):
    """A SQL database, opened and brought to this version's form at the first transaction; safe for any threads."""

    def __init__(self, place: str) -> None:
        """Name the database as *place* in messages; nothing is opened yet."""
        self.place = place
        self._turn = threading.Lock()
        self._engine: Engine | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database; raises BackendUnreachableError."""
        engine = self._opened()
        with self._explaining(), self._read(engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are on disk when the block ends; raises BackendUnreachableError.

        What a block reads to decide what it writes, it locks: others may write beside it.
        """
        engine = self._opened()
        with self._explaining(), self._write(engine) as connection:
            yield connection

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Give what tells cheaply whether it is worth to look again; raises BackendUnreachableError."""
        engine = self._opened()
        with self._explaining(), self._watch(engine) as watch:
            yield watch

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Give a connection that may change the tables themselves, while nobody else does."""
        engine = self._opened()
        with self._explaining(), self._migrate(engine) as connection:
            yield connection

    def close(self) -> None:
        """Close the connections; the next transaction opens new ones."""
        with self._turn:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    @abstractmethod
    def _open(self) -> Engine:
        """Return an engine for the database in this version's form."""

    @abstractmethod
    def _read(self, engine: Engine) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _write(self, engine: Engine) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _watch(self, engine: Engine) -> AbstractContextManager[Watch]: ...

    @abstractmethod
    def _migrate(self, engine: Engine) -> AbstractContextManager[Connection]: ...

    def _opened(self) -> Engine:
        engine = self._engine
        if engine is None:
            with self._explaining(), self._turn:
                engine = self._engine = self._engine or self._open()
        return engine

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            message = f"The database {self.place} refuses what contradicts its content: {error.orig}"
            raise errors.ConflictError(message) from error
        except (exc.DataError, OverflowError) as error:
            reason = error.orig if isinstance(error, exc.DataError) else error
            message = f"The database {self.place} cannot keep a value: {str(reason).strip()}"
            raise errors.ConflictError(message) from error
        except exc.DBAPIError as error:
            if "database is locked" in str(error.orig):
                message = f"The database {self.place} is held by another program; try again when that has let go of it"
                raise errors.BackendUnreachableError(message) from error
            expected = "Expected a penstock database that can be written"
            message = f"The database {self.place} cannot be used: {str(error.orig).strip()}. {expected}"
            raise errors.BackendUnreachableError(message) from error


_SERVER_TIME: Final = text("SELECT clock_timestamp()")


def now(connection: Connection) -> datetime:
    """Return the time that decides what is due and which lease has expired, in UTC.

    On a server that is its own, as the clocks of its clients differ.
    """
    if connection.dialect.name == "sqlite" or clock.current().virtual:
        return clock.now()
    told: datetime = connection.execute(_SERVER_TIME).scalar_one()
    return told.astimezone(UTC)


def insert_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert *row* unless one with the same unique values is there; return whether it was new."""
    return connection.execute(_insert_new(connection.dialect.name, table), row).first() is not None


@cache  # as for all that is asked often: to make a statement takes longer than to execute it
def _insert_new(dialect: str, table: Table) -> Any:
    insert = importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert  # of the one that is used
    return insert(table).on_conflict_do_nothing().returning(table.c.id)
