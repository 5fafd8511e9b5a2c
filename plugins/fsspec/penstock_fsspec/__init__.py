"""Local storage and results on any file system that fsspec knows.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_fsspec.result import FileSystemResult, FsspecResult, LocalResult
    from penstock_fsspec.storage import FileSystemStorage, FsspecStorage, Local

__all__ = ["FileSystemResult", "FileSystemStorage", "FsspecResult", "FsspecStorage", "Local", "LocalResult"]

_MODULES: Final = {name: f"{__name__}.{'result' if name.endswith('Result') else 'storage'}" for name in __all__}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
