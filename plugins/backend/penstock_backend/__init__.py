"""The metadata store in SQL: projects, flows, runs and their history, in a SQLite file or in PostgreSQL."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_backend.backend import SQLBackend as SQLBackend

__all__ = ["SQLBackend"]


def __getattr__(name: str) -> Any:
    """Import the class when it is asked for: loading the plugin does not load SQLAlchemy."""
    if name == "SQLBackend":
        from penstock_backend.backend import SQLBackend

        return SQLBackend
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
