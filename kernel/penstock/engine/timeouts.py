"""The time that a task's body has: when it is over the run goes on, whether or not the body could be stopped.

The body runs in a thread of its own while its caller waits. To stop it, an exception is raised in that thread
(`PyThreadState_SetAsyncExc`), which reaches Python code at its next instruction but no call that blocks outside of
Python. A thread that could not be stopped is left behind as a daemon; a worker process that may be killed ends with
it, even where the waiting thread cannot run because the body holds the interpreter's lock.
"""

import contextvars
import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from queue import Empty, SimpleQueue
from typing import Any, Final

from penstock import signals, states

_GRACE: Final = 0.2
"""Seconds that a body has to be stopped in."""
_AFTER: Final = {True: "it was stopped", False: "it could not be stopped and still runs", None: "the loop was blocked"}


class OutOfTime(signals.PenstockSignal):
    """The body did not end in time."""

    _state_class = states.TimedOut


class _Stop(BaseException):
    """Raised in the thread of a body that has to stop."""


def limited(seconds: float, call: Callable[[], Any], deadline: Any = None) -> Any:
    """Return what *call* returns, or raise what it raises; raises OutOfTime after *seconds*, real ones.

    A process with a *deadline*, which gives the context of a block that has so many seconds, may be ended: it is, if
    the body cannot be stopped.
    """
    ended: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def body() -> None:
        try:
            ended.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            ended.put((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(body,), name="penstock-body", daemon=True)
    with deadline(seconds) if deadline is not None else nullcontext():
        try:
            thread.start()
            value, error = ended.get(timeout=seconds)
        except Empty:
            stopped = _stop(thread)
            if not stopped and deadline is not None:
                os._exit(1)
            raise out_of_time(seconds, stopped=stopped) from None
        except BaseException:  # Ctrl-C reaches the thread that waits
            _stop(thread)
            raise
    if error is not None:
        raise error
    return value


def out_of_time(seconds: float, *, stopped: bool | None = None) -> OutOfTime:
    """Return the signal of a body that did not end within *seconds*; None if it did later, as something blocked it."""
    message = f"did not end within {seconds:g} s; {_AFTER[stopped]}"
    return OutOfTime(message, result=TimeoutError(message))


def _stop(thread: threading.Thread) -> bool:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stop))
    thread.join(_GRACE)
    return not thread.is_alive()
