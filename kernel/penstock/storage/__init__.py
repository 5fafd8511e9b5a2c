"""Where the source of flows is kept; `from penstock.storage import S3` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.storage.base import Reference, Source, Storage, Stored
from penstock.storage.scripts import load_flows

if TYPE_CHECKING:
    from penstock_fsspec import FsspecStorage as FsspecStorage
    from penstock_fsspec import Local as Local
    from penstock_s3 import S3 as S3
else:
    __getattr__, __dir__ = lookup.attach(__name__, "storage")

__all__ = ["Reference", "Source", "Storage", "Stored", "load_flows"]
