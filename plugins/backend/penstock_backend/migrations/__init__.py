"""The forms a penstock database has had, as Alembic revisions, and the step from any of them to the last."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from penstock import errors

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0006"
"""The revision this penstock works with; known here, so that Alembic is imported only to migrate."""


def bring_up(connection: Connection, place: str, keep: Callable[[str], object] = lambda _revision: None) -> None:
    """Bring the database of *connection* to `HEAD`, from nothing or an older revision; *place* names it.

    *keep* is called with the older revision before anything is changed. Raises BackendVersionError if a newer penstock
    wrote it, BackendUnreachableError if it is somebody else's.
    """
    found = _revision(connection, place)
    if found == HEAD:
        return
    if found is not None and found not in revisions():
        message = (
            f"The database {place} is a newer penstock's: it has revision {found}, this one knows {HEAD}. "
            "Upgrade penstock-backend, or name another database: PENSTOCK_BACKEND=sqlite:///PATH"
        )
        raise errors.BackendVersionError(message)
    from alembic import command

    if found is not None:
        keep(found)
    configuration = config()
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, HEAD)


def config() -> "Config":
    """Return Alembic's configuration: where the revisions are."""
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def revisions() -> list[str]:
    """Return the revisions that this penstock knows, the newest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()]


def _revision(connection: Connection, place: str) -> str | None:
    """Return the revision of the tables, None if there are none; raises BackendUnreachableError for somebody else's."""
    tables = inspect(connection).get_table_names()
    versioned = "alembic_version" in tables
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if versioned else None
    if found is not None and "flow_runs" in tables:
        return str(found)
    if found is not None or set(tables) - {"alembic_version"}:
        message = (
            f"The database {place} is not penstock's: it holds the tables {errors.listing(tables[:5])}. "
            "Name another file: PENSTOCK_BACKEND=sqlite:///PATH"
        )
        raise errors.BackendUnreachableError(message)
    return None
