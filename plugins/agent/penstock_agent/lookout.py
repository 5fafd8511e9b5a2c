"""Waiting for runs to become due, which takes a thread."""

import threading
from contextlib import suppress
from typing import Final

from penstock import errors
from penstock.backends import Backend

_AGAIN_SECONDS: Final = 1.0
"""How soon a backend is watched again that could not be."""
_END_SECONDS: Final = 1.0
"""How long is waited for a thread that may be waiting for a backend which does not answer."""


class Lookout:
    """Sets *seen* when it is worth to claim from *backend*: at the soonest *seconds* after the last time."""

    def __init__(self, backend: Backend, seconds: float, seen: threading.Event) -> None:
        """Prepare; nothing is watched yet."""
        self._backend = backend
        self._seconds = seconds
        self._seen = seen
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="penstock-lookout", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(_END_SECONDS)

    def _watch(self) -> None:
        while not self._stop.is_set():
            with suppress(errors.BackendError):  # who claims meets the same, and tells of it
                for _ in self._backend.watch_due_runs(self._stop, self._seconds):
                    self._seen.set()
            self._seen.set()
            self._stop.wait(_AGAIN_SECONDS)
