"""For finding out why a flow fails: the exception itself, and what cannot travel to another process."""

import subprocess
import sys
from contextlib import AbstractContextManager
from typing import Any, Final

from penstock import errors
from penstock.context import context
from penstock.serializers import PickleSerializer

_READ: Final = """
import sys
from penstock.serializers import PickleSerializer
PickleSerializer().loads(sys.stdin.buffer.read())
"""


def raise_on_exception() -> AbstractContextManager[object]:
    """Let an exception in a task's body come out of `flow.run()`, for a debugger to stop at, instead of a Failed state.

    It holds for runs inside the block on the in-process executor. Signals become states as ever.
    """
    return context(raise_on_exception=True)


def is_serializable(value: Any, *, raise_on_error: bool = False) -> bool:
    """Return whether *value* can be pickled here and read in a fresh Python process, as a pool on another machine does.

    With *raise_on_error* raise SerializationError with the reason instead of returning False.
    """
    try:
        _read_elsewhere(PickleSerializer().dumps(value), type(value).__qualname__)
    except errors.SerializationError:
        if raise_on_error:
            raise
        return False
    return True


def _read_elsewhere(content: bytes, kind: str) -> None:
    done = subprocess.run([sys.executable, "-c", _READ], check=False, input=content, capture_output=True)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise errors.SerializationError(f"a value of type {kind} cannot be read in another process: {reason[-1]}")
