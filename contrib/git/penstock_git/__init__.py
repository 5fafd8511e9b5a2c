"""Flow storage in any git repository.

The class is imported on first use, so that the plugin's hooks load nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_git.storage import Git

__all__ = ["Git"]


def __getattr__(name: str) -> Any:
    if name != "Git":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock_git.storage import Git

    return Git
