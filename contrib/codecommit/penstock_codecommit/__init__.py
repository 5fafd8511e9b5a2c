"""Flow storage in AWS CodeCommit repositories.

The class is imported on first use, so that the plugin's hooks load nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_codecommit.storage import CodeCommit

__all__ = ["CodeCommit"]


def __getattr__(name: str) -> Any:
    if name != "CodeCommit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock_codecommit.storage import CodeCommit

    return CodeCommit
