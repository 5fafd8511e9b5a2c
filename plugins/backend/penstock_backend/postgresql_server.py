"""A database on a PostgreSQL server.

Writing transactions run beside one another: what they decide by is locked row by row, and unique keys decide who was
first. Reading transactions see one moment (REPEATABLE READ).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, text

from penstock import errors
from penstock_backend import migrations
from penstock_backend.database import Database

_CONNECT_SECONDS: Final = 10
_MIGRATING: Final = 0x70656E73746F636B
"""The advisory lock that is held while the database is brought to another form: "penstock" in ASCII."""


class PostgreSQLServer(Database):
    """The database that *url* names, which is there already; its tables are made at the first transaction."""

    _WATCHED = "SELECT pg_current_snapshot()::text"

    def __init__(self, url: URL) -> None:
        """Name the database; nothing is opened yet. The password is shown nowhere."""
        super().__init__(url.render_as_string(hide_password=True))
        self._url = url.set(drivername="postgresql+psycopg")

    def _open(self) -> Engine:
        engine = self._make_engine()
        try:
            with self._migrate(engine) as connection:
                migrations.bring_up(connection, self.place)
        except BaseException:
            engine.dispose()
            raise
        return engine

    @contextmanager
    def _migrate(self, engine: Engine) -> Iterator[Connection]:
        with engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
            yield connection

    def _make_engine(self) -> Engine:
        given = {"connect_timeout": _CONNECT_SECONDS, "application_name": "penstock", **self._url.query}
        try:
            return create_engine(
                self._url,
                connect_args=given,
                max_overflow=-1,  # as many connections as there are threads
                pool_pre_ping=True,  # one that was cut while nobody used it is made anew
            )
        except ImportError as error:
            message = f"The database {self.place} needs psycopg. Try: pip install 'penstock-backend[postgresql]'"
            raise errors.PluginMissingError(message) from error

    def _read(self, engine: Engine) -> AbstractContextManager[Connection]:
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True).begin()

    def _write(self, engine: Engine) -> AbstractContextManager[Connection]:
        return engine.begin()
