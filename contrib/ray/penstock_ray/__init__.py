"""Tasks on a Ray cluster.

The class is imported on first use, so that the plugin's hooks do not load Ray.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_ray.executors import RayExecutor

__all__ = ["RayExecutor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock_ray import executors

    return getattr(executors, name)
