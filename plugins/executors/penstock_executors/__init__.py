"""Executors that run tasks on threads, in processes and on an event loop.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_executors.executors import AsyncioExecutor, ProcessExecutor, ThreadExecutor

__all__ = ["AsyncioExecutor", "ProcessExecutor", "ThreadExecutor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.executors"), name)
