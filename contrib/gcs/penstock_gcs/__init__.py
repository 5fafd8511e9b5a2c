"""Flows and results in buckets of Google Cloud Storage.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_gcs.result import GCSResult
    from penstock_gcs.storage import GCS

__all__ = ["GCS", "GCSResult"]

_MODULES: Final = {"GCS": "storage", "GCSResult": "result"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
