"""A worker process as its parent sees it."""

import contextlib
import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from penstock_executors import worker

_GRACE_SECONDS: Final = 5.0
_STREAMS: Final = 3
"""How many descriptors are those of standard streams."""
_REASONS: Final = {
    signal.SIGKILL: ", as the system does when memory runs out",
    signal.SIGSEGV: ", which is a crash in compiled code",
    signal.SIGABRT: ", which is a crash in compiled code",
}


class LostError(Exception):
    """A worker is gone; the message says how, as the end of a sentence that begins with it.

    `position` says at which of the calls that travelled together it was, `timed_out` whether it had to end because the
    time of its task was over.
    """

    def __init__(self, message: str, position: int | None = None, *, timed_out: bool = False) -> None:
        """Say how it went."""
        super().__init__(message)
        self.position: int | None = position
        self.timed_out: bool = timed_out


class UnreadError(LostError):
    """A worker is gone, and had not taken up the call it was sent."""


def _start(*descriptors: int) -> "subprocess.Popen[bytes]":
    """Start a worker with copies of *descriptors*, none in the place of a standard stream that is closed."""
    copies = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _STREAMS) for one in descriptors]
    try:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", worker.__file__, *map(str, copies)], stdin=subprocess.DEVNULL, pass_fds=copies
        )
    finally:
        for one in copies:
            os.close(one)


class WorkerProcess:
    """A worker process and what it has been sent."""

    def __init__(self) -> None:
        """Start a worker and wait until it is ready; raises LostError if it does not get that far."""
        self._known: OrderedDict[bytes, None] = OrderedDict()
        ours, theirs = socket.socketpair()
        with ours, theirs, tempfile.TemporaryFile() as progress:
            progress.write(bytes(worker.PROGRESS_BYTES))
            progress.flush()
            self._progress = mmap.mmap(progress.fileno(), worker.PROGRESS_BYTES)
            try:
                self._process = _start(theirs.fileno(), progress.fileno())
            except OSError as error:
                raise LostError(f"could not be started: {error}") from error
            self._watch = threading.Thread(target=self._hang_up, args=(ours.dup(),), daemon=True)
            self._watch.start()
            self._channel = worker.Channel(ours.detach())
        try:
            self._channel.send(json.dumps(sys.path).encode())
            self._channel.receive()
        except (EOFError, OSError) as error:
            raise LostError(f"could not be started: it {self._ending()}") from error

    def ask(self, digest: bytes, function: bytes, call: memoryview, meanwhile: Callable[[], None]) -> bytes:
        """Return the answer to *call*, having sent the function first if it is new to this worker.

        *meanwhile* is called once it is under way.
        Raises UnreadError if the worker died before it had read the call, LostError if it died afterwards.
        """
        try:
            if digest in self._known:
                self._known.move_to_end(digest)
            else:
                self._channel.send(worker.FUNCTION + digest + function)
                self._remember(digest)
            self._channel.send(call)
            meanwhile()
            return self._channel.receive()
        except EOFError as error:
            ending, (position, deadline) = self._ending(), memoryview(self._progress).cast("Q")
            known = None if position == worker.NOT_BEGUN else position
            raise LostError(ending, known, timed_out=0 < deadline <= time.monotonic_ns()) from error
        except OSError as error:  # broken pipe, or reset with the call unread
            raise UnreadError(self._ending()) from error

    def end(self) -> None:
        """Let the process end by itself; kill it if it takes more than a few seconds."""
        with contextlib.suppress(OSError):
            self._channel.send(b"")
        self._wait()

    def kill(self) -> None:
        """Kill the process; whoever waits for its answer finds it lost."""
        self._process.kill()

    def _remember(self, digest: bytes) -> None:
        """Count along with the worker, which forgets what it has not used for long."""
        self._known[digest] = None
        if len(self._known) > worker.FUNCTIONS_KEPT:
            self._known.popitem(last=False)

    def _hang_up(self, ours: socket.socket) -> None:
        """End what is read here once the process has ended: what it left behind may hold its end open for long."""
        with ours, contextlib.suppress(OSError):  # nobody may be at the other end
            self._process.wait()
            ours.shutdown(socket.SHUT_RDWR)

    def _wait(self) -> int:
        self._watch.join(_GRACE_SECONDS)
        if self._watch.is_alive():
            self._process.kill()
            self._watch.join()
        self._channel.close()
        return self._process.wait()

    def _ending(self) -> str:
        """Return how the process ended, in words."""
        code = self._wait()
        if code >= 0:
            return f"ended with exit code {code} before it had answered"
        number = signal.Signals(-code)
        return f"was killed by {number.name}{_REASONS.get(number, '')}"
