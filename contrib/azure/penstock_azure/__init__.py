"""Flows and results in containers of Azure Blob Storage.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_azure.result import AzureResult
    from penstock_azure.storage import Azure

__all__ = ["Azure", "AzureResult"]

_MODULES: Final = {"Azure": "storage", "AzureResult": "result"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
