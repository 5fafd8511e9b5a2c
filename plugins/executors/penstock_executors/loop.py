"""A pool whose coroutines run on one event loop, and whose functions run on threads beside it."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from contextlib import suppress
from typing import Any


class LoopPool(futures.ThreadPoolExecutor):
    """Runs up to *limit* coroutines at once on a loop in a thread of its own, and functions on as many threads."""

    def __init__(self, limit: int) -> None:
        """Start the loop; threads are started when there is work for them."""
        super().__init__(limit, "penstock")
        self._loop = asyncio.new_event_loop()
        self._room = asyncio.Semaphore(limit)
        self._ended = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._serve, name="penstock-asyncio", daemon=True)
        self._thread.start()

    def submit_coroutine(self, fn: Callable[[], Coroutine[Any, Any, Any]]) -> "futures.Future[Any]":
        """Return the future of the coroutine that *fn* makes, which runs in the caller's context.

        Raises RuntimeError if the pool is shut down.
        """
        future: futures.Future[Any] = futures.Future()
        if not self._thread.is_alive():
            raise RuntimeError("A coroutine was submitted to an executor that is shut down")
        self._loop.call_soon_threadsafe(self._begin, fn, future, context=contextvars.copy_context())
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002 - inherited
        """Take no more calls; with *cancel_futures* what has not begun is cancelled, coroutines at their next await."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(cancel=cancel_futures), self._loop)
        if wait:
            super().shutdown(wait=True, cancel_futures=cancel_futures)
            self._thread.join()

    def _begin(self, fn: Callable[[], Coroutine[Any, Any, Any]], future: "futures.Future[Any]") -> None:
        task = self._loop.create_task(self._run(fn, future))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, fn: Callable[[], Coroutine[Any, Any, Any]], future: "futures.Future[Any]") -> None:
        try:
            async with self._room:
                if future.set_running_or_notify_cancel():
                    future.set_result(await fn())
        except BaseException as error:  # noqa: BLE001 - raised again where the future is looked at
            if not future.cancel():
                future.set_exception(error)

    async def _end(self, *, cancel: bool) -> None:
        tasks = {*self._tasks}
        for task in tasks if cancel else ():
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._loop.shutdown_asyncgens()
        if not self._ended.done():
            self._ended.set_result(None)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._ended.done():
            with suppress(SystemExit, KeyboardInterrupt):  # a coroutine's, whose future has it: others go on
                self._loop.run_until_complete(self._ended)
        self._loop.close()
