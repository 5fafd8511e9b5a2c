"""The garbage collector, while many objects are made that live."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_THRESHOLD: Final = 50_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the collector look less often at young objects; at a hundred thousand tasks it takes half the time."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _THRESHOLD), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
