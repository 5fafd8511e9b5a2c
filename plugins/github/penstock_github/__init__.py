"""Flows in GitHub's repositories, and these as file systems.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_github.files import GitHubFileSystem
    from penstock_github.storage import GitHub

__all__ = ["GitHub", "GitHubFileSystem"]

_MODULES: Final = {"GitHub": "storage", "GitHubFileSystem": "files"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
