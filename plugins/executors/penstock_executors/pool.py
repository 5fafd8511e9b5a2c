"""A pool of worker processes, each on a socket of its own, behind the interface of `concurrent.futures`.

A thread per worker hands over a call and waits for its answer, so a worker that dies takes one call with it: the
thread starts another worker and goes on. Workers are started when there is work for them.
"""

import contextlib
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from penstock import errors
from penstock_executors import pickling
from penstock_executors.processes import LostError, UnreadError, WorkerProcess
from penstock_executors.worker import CALL, LENGTH_BYTES, RAISED, UNPICKLABLE


@dataclass(frozen=True, slots=True)
class Call:
    """A call that waits for a worker."""

    name: str
    function: pickling.Function
    frame: memoryview
    future: "futures.Future[Any]"


class WorkerTracebackError(Exception):
    """The traceback of a call as its worker printed it; the cause of the exception that the call raised."""

    def __str__(self) -> str:
        """Return the traceback under a line that says where it comes from."""
        return f"in a worker process:\n\n{self.args[0]}"


class WorkerPool(futures.Executor):
    """Runs calls in up to *max_workers* worker processes.

    A function is pickled when it is first submitted, and sent to each worker once; what it holds changes no more.
    """

    def __init__(self, max_workers: int) -> None:
        """Start nothing yet."""
        self._max_workers = max_workers
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._busy: set[WorkerProcess] = set()
        self._functions = pickling.Functions()
        self._closed = False
        self._killed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "futures.Future[Any]":
        """Return the future of a call; a call that cannot be pickled fails its own future.

        Raises ExecutorError if the pool is shut down.
        """
        future: futures.Future[Any] = futures.Future()
        name = pickling.name_of(fn)
        try:
            function = self._functions.of(fn)
            frame = pickling.dumps(CALL + function.digest, (args, kwargs))
        except Exception as error:  # noqa: BLE001 - the user's classes, being pickled
            future.set_exception(pickling.refused(fn, args, kwargs, error))
            return future
        with self._lock:
            if self._closed:
                raise errors.ExecutorError(f"{name} was submitted to an executor that is shut down")
            self._calls.put(Call(name, function, frame, future))
            self._grow()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002 - inherited
        """Take no more calls and end each worker when it has nothing left to do."""
        with self._lock:
            if cancel_futures:
                self._cancel_waiting()
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._calls.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def kill(self) -> None:
        """Shut down at once: cancel what waits, kill the workers of calls under way, end the others."""
        self.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._killed = True
            for worker in self._busy:
                worker.kill()
        self.shutdown()

    def _grow(self) -> None:
        if len(self._threads) == self._max_workers or self._idle.acquire(blocking=False):
            return
        name = f"penstock-worker-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _cancel_waiting(self) -> None:
        sentinels = 0
        with contextlib.suppress(Empty):
            while True:
                call = self._calls.get_nowait()
                if call is None:
                    sentinels += 1
                elif call.future.cancel():
                    call.future.set_running_or_notify_cancel()  # tells those who wait for it
        for _ in range(sentinels):
            self._calls.put(None)

    def _serve(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # workers inherit it until they are ready
        worker: WorkerProcess | None = None
        answered: list[tuple[Call, bytes]] = []
        while (call := self._next(answered)) is not None:
            if call.future.set_running_or_notify_cancel():
                worker = self._run(call, worker, answered)
            del call  # or its arguments would stay as long as this thread waits
        _conclude(answered)
        if worker is not None:
            worker.end()

    def _next(self, answered: list[tuple[Call, bytes]]) -> Call | None:
        """Return the next call; what was *answered* is concluded before this waits for one."""
        try:
            return self._calls.get_nowait()
        except Empty:
            _conclude(answered)
            if len(self._threads) < self._max_workers:
                self._idle.release()
            return self._calls.get()

    def _run(
        self, call: Call, worker: WorkerProcess | None, answered: list[tuple[Call, bytes]]
    ) -> WorkerProcess | None:
        """Run *call* in *worker*, or in another if that has died; return the worker for the next call.

        What was *answered* before is concluded while the worker runs, which would have to wait for that otherwise.
        """
        meanwhile = partial(_conclude, answered)
        try:
            worker = worker or WorkerProcess()
            try:
                answer = self._ask(worker, call, meanwhile)
            except UnreadError:  # it died before it took the call: no harm in giving that to another
                worker = WorkerProcess()
                answer = self._ask(worker, call, meanwhile)
            answered.append((call, answer))
        except LostError as error:
            call.future.set_exception(self._loss(call, error))
            return None
        return worker

    def _ask(self, worker: WorkerProcess, call: Call, meanwhile: Callable[[], None]) -> bytes:
        with self._lock:
            if self._killed:
                worker.kill()
            self._busy.add(worker)
        try:
            return worker.ask(call.function.digest, call.function.pickled, call.frame, meanwhile)
        finally:
            with self._lock:
                self._busy.discard(worker)

    def _loss(self, call: Call, error: LostError) -> errors.ExecutorError:
        if self._killed:
            return errors.ExecutorError(f"{call.name} was stopped, because its executor was closed")
        lost = errors.ExecutorError(f"The worker process of {call.name} {error}. Other calls go on")
        lost.position, lost.timed_out = error.position, error.timed_out
        return lost


def _conclude(answered: list[tuple[Call, bytes]]) -> None:
    while answered:
        call, answer = answered.pop()
        conclude(call.future, call.name, answer)


def conclude(future: "futures.Future[Any]", name: str, answer: bytes) -> None:
    """Set the future of the call of *name* to what its worker answered."""
    status, body = answer[:1], memoryview(answer)[1:]
    if status == UNPICKLABLE:
        future.set_exception(errors.SerializationError(f"{name}: {bytes(body).decode(errors='replace')}"))
        return
    text = ""
    if status == RAISED:
        length = int.from_bytes(body[:LENGTH_BYTES])
        text, body = bytes(body[LENGTH_BYTES : LENGTH_BYTES + length]).decode(), body[LENGTH_BYTES + length :]
    try:
        outcome = pickle.loads(body)  # noqa: S301 - from a worker of ours, over a socket of its own
    except Exception as error:  # noqa: BLE001 - the user's classes, being unpickled
        what = (
            f"what it raised cannot be read here: {error}\n{text}"
            if text
            else f"its result cannot be read here: {error}"
        )
        refusal = errors.SerializationError(f"{name}: {what}")
        refusal.__cause__ = error
        future.set_exception(refusal)
        return
    if status == RAISED:
        outcome.__cause__ = WorkerTracebackError(text)
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
