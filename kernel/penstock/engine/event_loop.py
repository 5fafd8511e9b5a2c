"""The event loop on which the `async def` tasks of a run make progress together."""

import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class EventLoop:
    """An event loop in a thread of its own, begun when the first coroutine comes."""

    def __init__(self) -> None:
        """Begin nothing yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> "futures.Future[Any]":
        """Run the coroutine that *call* makes, in this thread's context, and return its future."""
        loop = self._loop or self._begin()
        future: futures.Future[Any] = futures.Future()
        future.set_running_or_notify_cancel()

        async def run() -> None:
            try:
                future.set_result(await call())
            except BaseException as error:  # noqa: BLE001 - raised again where the future is looked at
                future.set_exception(error)

        def start() -> None:
            task = loop.create_task(run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        loop.call_soon_threadsafe(start)  # which takes this thread's context along
        return future

    def close(self) -> None:
        """Cancel what is still running, and end the loop and its thread."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _begin(self) -> "asyncio.AbstractEventLoop":
        import asyncio  # which runs without coroutines need not have

        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(loop,), name="penstock-event-loop", daemon=True)
        self._thread.start()
        return loop

    def _serve(self, loop: "asyncio.AbstractEventLoop") -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        loop.run_forever()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            loop.run_until_complete(asyncio.wait(self._tasks, timeout=1))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
