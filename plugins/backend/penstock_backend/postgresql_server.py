"""A database on a PostgreSQL server.

Writing transactions run beside one another: what they decide by is locked row by row, and unique keys decide who was
first. Reading transactions see one moment (REPEATABLE READ). A trigger tells those who listen of runs that have become
due or have ended, so that nobody has to ask.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, text

from penstock import clock, errors
from penstock_backend import migrations
from penstock_backend.database import Database, Watch

_CONNECT_SECONDS: Final = 10
_CHANNEL: Final = "penstock_runs"
"""What the trigger of revision 0005 notifies."""
_MIGRATING: Final = 0x70656E73746F636B
"""The advisory lock that is held while the database is brought to another form: "penstock" in ASCII."""


class _Watch(Watch):
    """Listens to what the trigger says."""

    def _wait(self, seconds: float) -> bool:
        if clock.current().virtual:  # the driver knows real time only
            clock.sleep(seconds)
            seconds = 0
        return bool(list(self._driver.notifies(timeout=max(seconds, 0), stop_after=1)))


class PostgreSQLServer(Database):
    """The database that *url* names, which is there already; its tables are made at the first transaction."""

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

    @contextmanager
    def _watch(self, engine: Engine) -> Iterator[Watch]:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()  # it is closed at the end, and nobody else hears what this one has asked for
            connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
            yield _Watch(connection)

    def _read(self, engine: Engine) -> AbstractContextManager[Connection]:
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True).begin()

    def _write(self, engine: Engine) -> AbstractContextManager[Connection]:
        return engine.begin()
