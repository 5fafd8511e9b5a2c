"""Flows and results in buckets of Amazon S3, and of services that speak its protocol.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_s3.result import S3Result
    from penstock_s3.storage import S3

__all__ = ["S3", "S3Result"]

_MODULES: Final = {"S3": "storage", "S3Result": "result"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
