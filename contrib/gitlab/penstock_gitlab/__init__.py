"""Flows in GitLab's projects, and these as file systems.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_gitlab.files import GitLabFileSystem
    from penstock_gitlab.storage import GitLab

__all__ = ["GitLab", "GitLabFileSystem"]

_MODULES: Final = {"GitLab": "storage", "GitLabFileSystem": "files"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
