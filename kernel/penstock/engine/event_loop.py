"""The event loop on which the `async def` tasks of a run make progress together."""

import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from concurrent import futures


class EventLoop:
    """An event loop in a thread of its own, begun when the first coroutine comes."""

    def __init__(self) -> None:
        """Begin nothing yet."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> "futures.Future[Any]":
        """Run the coroutine that *call* makes, in this thread's context, and return its future."""
        import asyncio  # which runs without coroutines need not have

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._closed = self._loop.create_future()
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), name="penstock-loop", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(call(), self._loop)

    def close(self) -> None:
        """Cancel what is still running, and end the loop and its thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closed.set_result, None)
            self._thread.join()

    def _serve(self, loop: "asyncio.AbstractEventLoop") -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        while not self._closed.done():
            with suppress(SystemExit, KeyboardInterrupt):  # a coroutine's, whose future has it: others go on
                loop.run_until_complete(self._closed)
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=1))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
