"""Ray behind the interface of `concurrent.futures`."""

import pickle
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from queue import SimpleQueue
from typing import Any, Final

import importlib_metadata
import ray

from penstock import errors
from penstock_executors import pickling, remote

_KINDS: Final = {"CPU": "num_cpus", "GPU": "num_gpus"}
"""The resources that Ray knows by a name of their own."""


def options(asked: Mapping[str, float]) -> dict[str, Any]:
    """Return what Ray is told of a call that asks for resources."""
    own = {_KINDS[name]: amount for name, amount in asked.items() if name in _KINDS}
    others = {name: amount for name, amount in asked.items() if name not in _KINDS}
    return {**own, **({"resources": others} if others else {})}


class RayPool(futures.Executor):
    """Submits calls to the Ray cluster that this process is connected to. What is large stays in its object stores.

    A call whose worker is lost runs again, three times at most.
    """

    def __init__(self, path: Sequence[str] | None) -> None:
        """Let workers look for modules on *path*, or where they do by themselves if it is None."""
        self._path = tuple(path) if path is not None else None
        self._functions = pickling.Functions()
        self._flying: dict[ray.ObjectRef, tuple[futures.Future[Any], str, ray.ObjectRef]] = {}
        self._done: SimpleQueue[tuple[ray.ObjectRef, futures.Future[Any]] | None] = SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._runs: dict[tuple[Any, ...], Any] = {}
        self._thread = threading.Thread(target=self._collect, name="penstock-ray", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "futures.Future[Any]":
        """Return the future of a call; one that cannot be pickled, or asks for what is no amount, fails its own future.

        Raises ExecutorError if the pool is shut down.
        """
        future: futures.Future[Any] = futures.Future()
        try:
            packed = remote.pack(self._functions, fn, args, kwargs)
            asked = remote.resources(fn, "ray-resource")
        except errors.PenstockError as error:
            future.set_exception(error)
            return future
        name = packed.name.strip("`")
        with self._lock:
            if self._closed:
                raise errors.ExecutorError(f"{packed.name} was submitted to an executor that is shut down")
            run = self._runs.get((name, *asked.items()))
            if run is None:  # to give options takes longer than to call
                told = {"num_returns": 2, "max_retries": 3, "name": name, **options(asked)}
                run = self._runs[name, *asked.items()] = ray.remote(_run).options(**told)
            call = (self._path, packed.digest, packed.function, packed.arguments)
            answer, kept = run.remote(pickle.dumps(call, pickle.HIGHEST_PROTOCOL), *packed.held)
            self._flying[answer] = future, packed.name, kept
        future.add_done_callback(lambda ended: ray.cancel(answer) if ended.cancelled() else None)
        answer.future().add_done_callback(lambda ended: self._done.put((answer, ended)))
        return future

    def bring(self, holders: Sequence[Any]) -> None:
        """Put values themselves in the place of their stand-ins, in lists and in the `result` of states."""
        remote.bring(holders, ray.get)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002 - inherited
        """Take no more calls; with *cancel_futures* those that have no answer yet are cancelled."""
        with self._lock:
            self._closed = True
            flying = {answer: future for answer, (future, _, _) in self._flying.items()}
        for answer, future in flying.items() if cancel_futures else ():
            if future.cancel():
                ray.cancel(answer, force=True)  # a call that waits outside of Python hears of nothing else
                future.set_running_or_notify_cancel()  # which tells those who wait for it
        if wait:
            futures.wait(flying.values())
            self._done.put(None)
            self._thread.join()

    def _collect(self) -> None:
        while (landed := self._done.get()) is not None:
            answer, ended = landed
            future, name, kept = self._flying.pop(answer)
            if future.cancelled() or not future.set_running_or_notify_cancel():
                continue
            error = ended.exception()
            if error is None:
                remote.conclude(future, name, ended.result(), kept, _fetch)
            else:
                remote.fail(future, name, _reason(error), error)


def _reason(error: BaseException) -> str:
    if isinstance(error, ray.exceptions.WorkerCrashedError | ray.exceptions.NodeDiedError):
        return "was given up, since each worker that ran it was lost: killed, or crashed"
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "was given up, since each worker that ran it was lost: it took more memory than there is"
    return f"could not be run on the cluster: {type(error).__name__}: {str(error).strip().splitlines()[-1]}"


def _run(call: bytes, *held: remote.Kept) -> "tuple[bytes, remote.Kept | None]":
    """Run a call on a worker; return its answer, which goes back, and what stays, if anything does.

    Ray prepares each argument by itself, so all but what is *held* comes in one.
    """
    path, *rest = pickle.loads(call)  # noqa: S301 - from the driver, over the cluster's own connections
    if path is not None and sys.path != [*path]:
        sys.path[:] = path
    answer = remote.run(*rest, *held)
    return (answer.answer, answer) if isinstance(answer, remote.Kept) else (answer, None)


def _fetch(held: "ray.ObjectRef", index: int) -> Any:
    return ray.get(held).values[index]


def versions() -> dict[str, str]:
    """Return the versions on which it depends whether a pickle can be read."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    named = {name: importlib_metadata.version(name) for name in ("penstock", "penstock-executors")}
    return {"Python": python, **named}
