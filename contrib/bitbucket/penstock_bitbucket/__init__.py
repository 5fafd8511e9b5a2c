"""Flows in Bitbucket's repositories, in the cloud and on servers, and these as file systems.

The classes are imported on first use, so that the plugin's hooks load nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_bitbucket.files import BitbucketCloudFileSystem, BitbucketServerFileSystem
    from penstock_bitbucket.storage import Bitbucket

__all__ = ["Bitbucket", "BitbucketCloudFileSystem", "BitbucketServerFileSystem"]

_MODULES: Final = {name: "storage" if name == "Bitbucket" else "files" for name in __all__}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
