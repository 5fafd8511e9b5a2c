"""For tests of storages and results on file systems: places that fail."""

from collections.abc import Callable
from itertools import count
from typing import Any, Final, TypeVar

from penstock_fsspec.folders import OnFileSystem

Placed = TypeVar("Placed", bound=OnFileSystem)
_CALLS: Final = ("pipe_file", "cat_file", "mv", "info", "exists", "find", "rm_file", "makedirs")


def failing(placed: Placed, error: Exception, call: int) -> Placed:
    """Return a storage or result over the place of *placed*, of which the *call*-th call to the place raises *error*.

    Calls are counted from 1, over all that is done with what is returned. What is written to this machine's disks goes
    past the file system, and does not count.
    """
    kind: Any = type(placed)
    numbers = count(1)

    class Failing(kind):  # type: ignore[misc]  # a class that mypy cannot know
        def filesystem(self) -> Any:
            known = super().filesystem()
            fresh = type(known)(*known.storage_args, **known.storage_options, skip_instance_cache=True)
            for name in _CALLS:
                setattr(fresh, name, guarded(getattr(fresh, name)))
            return fresh

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            if next(numbers) == call:
                raise error
            return function(*args, **options)

        return called

    made: Placed = Failing.model_construct(**dict(placed))
    return made
