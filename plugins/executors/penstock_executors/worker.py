"""The program of a worker process: takes calls from a socket, one at a time, and answers each.

It is run by its path, so that nothing but the standard library is imported before the parent has said where
modules are. A frame from the parent is a kind, the digest of a function, and a pickle; an empty frame asks the
worker to end, a closed socket means that the parent is gone. See `processes` for the other side.
"""

import contextlib
import faulthandler
import io
import json
import mmap
import os
import pickle
import select
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

FUNCTION: Final = b"f"
CALL: Final = b"c"
DIGEST_BYTES: Final = 16
FUNCTIONS_KEPT: Final = 64
"""How many functions a worker remembers, those used last; the parent counts along."""

VALUE: Final = b"v"
RAISED: Final = b"r"
UNPICKLABLE: Final = b"u"
LENGTH_BYTES: Final = 8
PROGRESS_BYTES: Final = 16
"""At which of the calls that travelled together a worker is, and by when that has to end; 8 bytes each."""
NOT_BEGUN: Final = (1 << 64) - 1
"""What a worker's progress says before the first of the calls that travelled together."""
_GRACE_SECONDS: Final = 0.4
"""How long a task whose time is over may take to be stopped in, and to be told of, before its worker is ended."""
_COPIED: Final = 1 << 14  # bytes; up to here one copy costs less than a second system call


class Channel:
    """Frames of bytes over one end of a pair of sockets; used by one thread at a time."""

    def __init__(self, descriptor: int) -> None:
        """Take over the socket *descriptor*."""
        self._descriptor = descriptor
        self._reader = os.fdopen(descriptor, "rb")

    def send(self, frame: "bytes | memoryview") -> None:
        """Send a frame; raises OSError if the other end is closed."""
        length = len(frame).to_bytes(LENGTH_BYTES)
        if len(frame) <= _COPIED:
            frame = length + frame
        else:
            self._write(length)
        self._write(frame)

    def receive(self) -> bytes:
        """Wait for a frame; raises EOFError or OSError if the other end is closed."""
        length = int.from_bytes(self._read(LENGTH_BYTES))
        return self._read(length)

    def close(self) -> None:
        """Close this end."""
        self._reader.close()

    def _write(self, part: "bytes | memoryview") -> None:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _read(self, length: int) -> bytes:
        part = self._reader.read(length)
        if len(part) < length:
            raise EOFError
        return part


def main(descriptor: int, progress: int) -> None:
    """Serve the socket *descriptor* until the parent ends; it reads off the file *progress* how far this is."""
    signal.signal(signal.SIGINT, _ignore)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    channel = Channel(descriptor)
    _keep(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):  # the parent is gone
        sys.path[:] = json.loads(channel.receive())
        threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
        from penstock.context import context

        under_way = memoryview(mmap.mmap(progress, PROGRESS_BYTES)).cast("Q")
        watched = partial(_watched, under_way[1:])
        with context(worker_progress=under_way[:1], worker_deadline=watched):  # the pool loses the call at hand only
            _serve(channel, under_way)


def _keep(descriptor: int) -> None:
    """Keep the socket from processes that a task starts: what is forked has nothing at its other end."""
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - the system's own signature
    nothing = os.open(os.devnull, os.O_RDWR)
    os.register_at_fork(after_in_child=lambda: os.dup2(nothing, descriptor, inheritable=False))


@contextlib.contextmanager
def _watched(deadline: memoryview, seconds: float) -> Iterator[None]:
    """Say by when the block has to be over, and end this process from outside of Python if it hangs beyond that."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - faulthandler needs a descriptor
        deadline[0] = time.monotonic_ns() + int(seconds * 1e9)
        faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            deadline[0] = 0


def _ignore(*_: object) -> None:
    """Do nothing; unlike SIG_IGN this is not passed on to programs that a task starts."""


def _end_with_parent(descriptor: int) -> None:
    """End this process, whatever it is doing, once nobody is at the other end of the socket."""
    poll = select.poll()
    poll.register(descriptor, 0)  # a closed socket is reported unasked
    poll.poll()
    os._exit(1)


def _serve(channel: Channel, under_way: memoryview) -> None:
    functions: OrderedDict[bytes, Callable[..., Any]] = OrderedDict()
    channel.send(b"ready")
    while frame := channel.receive():
        digest, body = frame[1 : 1 + DIGEST_BYTES], memoryview(frame)[1 + DIGEST_BYTES :]
        if frame.startswith(FUNCTION):
            functions[digest] = loaded_function(body)
            if len(functions) > FUNCTIONS_KEPT:
                functions.popitem(last=False)
            continue
        functions.move_to_end(digest)
        under_way[0] = NOT_BEGUN
        answer = answered(functions[digest], lambda: pickle.loads(body))  # noqa: S301, B023 - as above, and called at once
        for stream in (sys.stdout, sys.stderr):  # what a task prints is seen when it is done, not when the run is
            with contextlib.suppress(Exception):  # there may be none, or the task's own, or nobody who reads it
                stream.flush()
        channel.send(answer)


def loaded_function(body: "bytes | memoryview") -> Callable[..., Any]:
    """Return the pickled function, or one that says why it cannot be had."""
    try:
        loaded: Callable[..., Any] = pickle.loads(body)  # noqa: S301 - from the parent, over a socket of its own
    except Exception as error:  # noqa: BLE001 - unpickling imports the user's modules
        reason = f"the function cannot be loaded in a worker process: {type(error).__name__}: {error}"

        def loaded(*_: Any, **__: Any) -> None:
            raise _UnpicklableError(reason)

    return loaded


def answered(
    function: Callable[..., Any],
    arguments: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]],
    pickled: Callable[[bytes, Any], "bytes | memoryview"] | None = None,
) -> "bytes | memoryview":
    """Return the answer to a call: a status, and what *function* returned or raised, as *pickled* makes it of that."""
    try:
        try:
            args, kwargs = arguments()
        except Exception as error:  # the user's classes, being unpickled
            reason = f"its arguments cannot be loaded in a worker process: {type(error).__name__}: {error}"
            raise _UnpicklableError(reason) from error
        value = function(*args, **kwargs)
    except _UnpicklableError as error:
        return UNPICKLABLE + str(error).encode()
    except BaseException as error:  # noqa: BLE001 - the user's function: what it raises is the answer
        return _raised(error)
    try:
        return (pickled or dumps)(VALUE, value)
    except Exception as error:  # noqa: BLE001 - the user's classes, being pickled
        return UNPICKLABLE + f"its result cannot be pickled: {_blamed(_results(value)) or error}".encode(
            errors="replace"
        )


def _raised(error: BaseException) -> "bytes | memoryview":
    trace = error.__traceback__.tb_next if error.__traceback__ else None  # without this module's frame
    text = "".join(traceback.format_exception(type(error), error, trace))
    described = text.encode(errors="replace")
    try:
        return dumps(RAISED + len(described).to_bytes(LENGTH_BYTES) + described, error)
    except Exception as reason:  # noqa: BLE001 - the user's exception, being pickled
        told = f"the {_name(error)} it raised cannot be pickled: {_blamed([error]) or reason}\n{text}"
        return UNPICKLABLE + told.encode(errors="replace")


def _results(value: Any) -> list[Any]:
    """Return what the user's function returned, in each round of one that the engine called."""
    values, states = getattr(value, "values", None), getattr(value, "states", None)
    if isinstance(values, list) and isinstance(states, dict):
        return [*values, *(state.result for state in states.values()), value]
    return [value]


def _blamed(values: list[Any]) -> str | None:
    """Return what in *values* cannot be pickled, with the path to it."""
    from penstock_executors import blame

    return blame.told((blame.Part(value, "", "it") for value in values), lambda value: dumps(b"", value))


def dumps(prefix: bytes, value: object) -> memoryview:
    """Return *prefix* and the pickle of *value*, without a copy of what may be large."""
    import cloudpickle

    frame = io.BytesIO()
    frame.write(prefix)
    cloudpickle.Pickler(frame, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return frame.getbuffer()


def _name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


class _UnpicklableError(Exception):
    """A function or its arguments cannot be loaded here."""


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
