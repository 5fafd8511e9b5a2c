"""The time that a task's body has: when it is over the run goes on, whether or not the body could be stopped.

The body runs in a thread of its own while its caller waits. To stop it, an exception is raised in that thread
(`PyThreadState_SetAsyncExc`), which reaches Python code at its next instruction but no call that blocks outside of
Python. A thread that could not be stopped is left behind as a daemon; a worker process that may be killed ends with
it, even where the waiting thread cannot run because the body holds the interpreter's lock.
"""

import contextvars
import ctypes
import faulthandler
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Final

from penstock import signals, states

_GRACE: Final = 0.2
"""Seconds that a body has to be stopped in, and a worker to report in before it is ended."""


class OutOfTime(signals.PenstockSignal):
    """The body did not end in time."""

    _state_class = states.TimedOut


class _Stop(BaseException):
    """Raised in the thread of a body that has to stop."""


def limited(seconds: float, call: Callable[[], Any], deadline: "memoryview[int] | None" = None) -> Any:
    """Return what *call* returns, or raise what it raises; raises OutOfTime after *seconds*, real ones.

    A process with a place for a *deadline* ends if the body does not; its parent reads there when that had to be over.
    """
    ended: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def body() -> None:
        try:
            ended.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            ended.put((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(body,), name="penstock-body", daemon=True)
    with _watched(seconds, deadline):
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


def out_of_time(seconds: float, *, stopped: bool) -> OutOfTime:
    """Return the signal of a body that did not end within *seconds*."""
    after = "it was stopped" if stopped else "it could not be stopped and still runs"
    message = f"did not end within {seconds:g} s; {after}"
    return OutOfTime(message, result=TimeoutError(message))


def _stop(thread: threading.Thread) -> bool:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stop))
    thread.join(_GRACE)
    return not thread.is_alive()


@contextmanager
def _watched(seconds: float, deadline: "memoryview[int] | None") -> Iterator[None]:
    """Let a worker that may be killed be ended from outside of Python if it hangs."""
    if deadline is None:
        yield
        return
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - faulthandler needs a descriptor
        deadline[0] = time.monotonic_ns() + int(seconds * 1e9)
        faulthandler.dump_traceback_later(seconds + 2 * _GRACE, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            deadline[0] = 0
