"""A Dask client behind the interface of `concurrent.futures`."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

import distributed

from penstock import errors
from penstock_executors import pickling, remote

_AGAIN: Final = 0.05
"""Seconds after which a call is looked at again whose answer was lost; Dask tells only once that it has ended."""
_SOON: Final = 3.0
"""Seconds in which answers that have been told of are to come: Dask asks a worker that has just died for up to 30."""


class DaskPool(futures.Executor):
    """Submits calls to a Dask cluster. What is large stays on the workers and moves between them.

    A call whose worker is lost runs again, as often as the cluster allows.
    """

    def __init__(self, client: distributed.Client) -> None:
        """Submit to *client*, which stays open when this pool is shut down."""
        self._client = client
        self._functions = pickling.Functions()
        self._flying: dict[distributed.Future, tuple[futures.Future[Any], str]] = {}
        self._told: dict[distributed.Future, distributed.Future] = {}
        self._done: SimpleQueue[distributed.Future | None] = SimpleQueue()
        self._numbers = itertools.count()
        self._soon = _SOON
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._collect, name="penstock-dask", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "futures.Future[Any]":
        """Return the future of a call; one that cannot be pickled, or asks for what is no amount, fails its own future.

        Raises ExecutorError if the pool is shut down.
        """
        future: futures.Future[Any] = futures.Future()
        try:
            packed = remote.pack(self._functions, fn, args, kwargs)
            asked = remote.resources(fn, "dask-resource")
        except errors.PenstockError as error:
            future.set_exception(error)
            return future
        with self._lock:
            if self._closed:
                raise errors.ExecutorError(f"{packed.name} was submitted to an executor that is shut down")
            key = f"{packed.name.strip('`')}-penstock-{id(self):x}-{next(self._numbers)}"
            call = (packed.digest, packed.function, packed.arguments, *packed.held)
            sent = self._client.submit(remote.run, *call, key=key, pure=False, resources=asked or None)
            self._flying[sent] = future, packed.name
        future.add_done_callback(lambda ended: sent.cancel() if ended.cancelled() else None)
        sent.add_done_callback(self._done.put)
        return future

    def bring(self, holders: Sequence[Any]) -> None:
        """Put values themselves in the place of their stand-ins, in lists and in the `result` of states."""
        remote.bring(holders, self._client.gather)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002 - inherited
        """Take no more calls; with *cancel_futures* those that have no answer yet are cancelled."""
        with self._lock:
            self._closed = True
            flying = dict(self._flying) if cancel_futures else {}
        for future, _ in flying.values():
            future.cancel()
        if wait:
            futures.wait([future for future, _ in dict(self._flying).values()])
            self._done.put(None)
            self._thread.join()

    def _collect(self) -> None:
        """Take up what has ended, all that is there at once, until the end is told."""
        ended: list[distributed.Future] = []
        while (one := self._done.get()) is not None:
            ended.append(one)
            if self._done.empty():
                self._take_up(ended)
                ended = []

    def _take_up(self, ended: list[distributed.Future]) -> None:
        got = self._gathered([one for one in ended if one.status == "finished" and one.type is not remote.Kept])
        for one in ended:
            if one in got:
                self._conclude(one, got[one])
            elif one.status == "finished" and one.type is remote.Kept:  # only what it says comes here, it stays
                told = self._client.submit(_answer, one, pure=False)
                self._told[told] = one
                told.add_done_callback(self._done.put)
            elif one.status in {"finished", "lost", "pending"}:  # lost with its worker since, and made again
                threading.Timer(_AGAIN, self._done.put, [one]).start()
            else:
                self._fail(one)

    def _gathered(self, ended: list[distributed.Future]) -> Mapping[distributed.Future, bytes]:
        """Return the answers of all, or of those that are not lost and come soon."""
        if not ended:
            return {}
        gather = partial(self._client.gather, ended, asynchronous=True)
        try:
            return dict(zip(ended, self._client.sync(gather, callback_timeout=self._soon), strict=True))
        except Exception:  # noqa: BLE001 - one of them was lost meanwhile, or does not come; or the cluster is gone
            got: dict[distributed.Future, bytes] = {}
            until = time.monotonic() + self._soon
            for one in ended:
                if one.status == "finished":
                    with contextlib.suppress(Exception):  # told where its status is looked at
                        got[one] = one.result(timeout=max(until - time.monotonic(), _AGAIN))
            self._soon = _SOON if got else 2 * self._soon  # one may be large, and its way slow
            return got

    def _conclude(self, ended: distributed.Future, answer: bytes) -> None:
        held = self._told.pop(ended, ended)
        future, name = self._flying.pop(held, (None, ""))
        if future is not None and future.set_running_or_notify_cancel():
            remote.conclude(future, name, answer, held, _fetch)

    def _fail(self, ended: distributed.Future) -> None:
        held = self._told.pop(ended, ended)
        future, name = self._flying.pop(held, (None, ""))
        if future is None or not future.set_running_or_notify_cancel():
            return
        error = ended.exception() if ended.status == "error" else None
        if isinstance(error, distributed.KilledWorker):
            why = "was given up, since each worker that ran it was lost: killed, out of memory or crashed"
        elif isinstance(error, ModuleNotFoundError):
            why = f"cannot run on a worker, which lacks a module: {error}. Install there what is installed here"
        elif error is not None:
            why = f"could not be run on the cluster: {type(error).__name__}: {error}"
        else:
            why = f"is {ended.status}, because the cluster or the connection to it was closed"
        remote.fail(future, name, why, error)


def _answer(kept: remote.Kept) -> bytes:
    return kept.answer


def _fetch(held: distributed.Future, index: int) -> Any:
    return held.result().values[index]
