"""Who remembers flows and runs; the default is a SQLite file, from the plugin penstock-backend."""

from typing import TYPE_CHECKING

from penstock.backends.base import Backend
from penstock.hooks import lookup

if TYPE_CHECKING:
    from penstock_backend import SQLBackend as SQLBackend
else:
    __getattr__, __dir__ = lookup.attach(__name__, "backend")

__all__ = ["Backend"]
