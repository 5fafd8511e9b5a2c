"""The executor kind: a configured way to run tasks, on the ecosystem's own interface."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from penstock.hooks.kinds import Kind

if TYPE_CHECKING:
    from concurrent import futures
    from contextlib import AbstractContextManager


class Executor(Kind, ABC):
    """Where and how the tasks of a flow run are executed.

    An implementer writes `open`. The pool that it yields may be more than `concurrent.futures` asks for:

    * `remote`, a class attribute: a call crosses a process boundary, so functions, inputs and results are pickled,
      and small mapped items travel in batches. If a call fails with an exception that has a `position`, that one of
      the items is to blame, and the others are made again. A worker that offers `worker_progress` in the context, a
      sequence of one number, finds there at which item it is. One that offers `worker_deadline`, a function
      of seconds that returns a context, may be ended: it is, if a task cannot be stopped at its timeout, and it may end
      itself if a block inside that context takes longer. The call then fails with an ExecutorError that is `timed_out`.
    * *references*: a pool may let large values stay where they were made, and give out stand-ins that fetch a value
      when it is looked into. They are inputs of further calls like any other value. At the end of a run
      `bring(holders)` puts the values themselves in their place: in lists, and in the `result` of states.
    * *coroutines*: a pool with `submit_coroutine(fn)` runs the coroutine that `fn()` makes and returns its future;
      else the driver runs coroutines, on an event loop of its own.
    """

    kind: ClassVar[str] = "executor"
    remote: ClassVar[bool] = False

    @abstractmethod
    def open(self) -> "AbstractContextManager[futures.Executor | None]":
        """Return a context that yields the pool to submit calls to, or None to run them in the calling thread.

        * Called once per flow run; leaving the context ends every thread and process it started.
        * `submit(fn, *args)` returns a future at once; a call that cannot be run fails its own future only.
        * Workers of a remote pool never import the user's `__main__`.
        """
