"""Flows imported from installed modules.

The class is imported on first use, so that the plugin's hooks load nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_module.storage import Module

__all__ = ["Module"]


def __getattr__(name: str) -> Any:
    if name != "Module":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock_module.storage import Module

    return Module
