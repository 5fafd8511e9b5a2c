"""A pool of processes of the caller's own, whose pickle knows functions and classes by their names only."""

import pickle
from concurrent import futures
from functools import partial
from typing import Any

import cloudpickle


class ByValue(futures.Executor):
    """Lets calls and what they return take along what has no name elsewhere, such as the functions of a script."""

    def __init__(self, pool: futures.Executor) -> None:
        """Submit to *pool*, which stays open."""
        self._pool = pool

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "futures.Future[Any]":
        """Return the future of a call; one that cannot be pickled fails its own future."""
        return self._pool.submit(_call, _Whole(partial(fn, *args, **kwargs)))


class _Whole:
    """A value on its way through the pool's pickle, where it comes out as itself."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (cloudpickle.dumps(self.value),)


def _call(call: Any) -> Any:
    return _Whole(call())
