"""Cached results: what a task returned before, found by what its validator compares.

Beside each value that a result keeps lies an entry at an address that follows from the task's cache key and from
what the validator compares: the index. So caches outlive the process, on any result there is, and two runs that
write at once do not disturb each other. Only a validator of one's own has a list of entries under its key, the
newest first.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from penstock import clock, errors
from penstock.cache_validators import CacheValidator, fingerprint
from penstock.context import context
from penstock.states import Cached, State

if TYPE_CHECKING:
    from penstock.results import Result

_LONGEST_LIST: Final = 100
_log: Final = logging.getLogger("penstock.cache").warning


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache of one task: its key, how long a result serves, which may serve, and what keeps them."""

    key: str
    lifetime: timedelta
    validator: CacheValidator
    result: "Result"

    def find(self, inputs: Mapping[str, Any]) -> Cached | None:
        """Return the state of a result that serves *inputs*, with its value, or None.

        Raises TaskError if the validator raises.
        """
        parameters = context.get("parameters") or {}
        for entry in self._entries(inputs, parameters):
            if self._accepts(entry, inputs, parameters):
                try:
                    entry.result = self.result.read(entry.location) if entry.location is not None else None
                except errors.PenstockError as error:
                    _log("The cached result of %r cannot be read, so the task runs: %s", self.key, error)
                else:
                    return entry
        return None

    def keep(self, state: State, inputs: Mapping[str, Any]) -> State:
        """Return *state*, a success that was written or is None, as Cached and kept for later runs."""
        parameters = dict(context.get("parameters") or {})
        try:
            hashed = {name: fingerprint(value) for name, value in inputs.items()}
            cached = Cached(state.message, None, hashed, parameters, clock.now() + self.lifetime)
            cached.location = state.location
            others = self._entries(inputs, parameters) if not hasattr(self.validator, "compared") else []
            self.result.write_at(self._address(inputs, parameters), [cached, *others][:_LONGEST_LIST])
        except errors.PenstockError as error:
            _log("The result of %r cannot be cached: %s", self.key, error)
            return state
        cached.result = state.result
        return cached

    def _address(self, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
        compared: Callable[..., str] | None = getattr(self.validator, "compared", None)
        named = compared(inputs, parameters) if compared is not None else "all"
        child = f"-{context.get('map_index')}" if getattr(self.validator, "by_place", False) else ""
        return f"cache/{sha256(self.key.encode()).hexdigest()[:32]}/{named}{child}.penstock"

    def _entries(self, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Cached]:
        """Return the entries that may serve *inputs* and have not expired; none if nothing tells the inputs apart."""
        try:
            entries: list[Cached] = self.result.read(self._address(inputs, parameters))
        except errors.PenstockError as error:
            if not isinstance(error, errors.ResultMissingError):
                _log("The cache of %r cannot be read: %s", self.key, error)
            return []
        return [e for e in entries if e.cached_result_expiration is None or e.cached_result_expiration > clock.now()]

    def _accepts(self, entry: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
        name = getattr(self.validator, "__name__", type(self.validator).__name__)
        failure = f"The cache_validator {name} of {self.key!r} failed"
        with errors.told_as(errors.TaskError, failure, Exception):  # a user's function
            return bool(self.validator(entry, inputs, parameters))
