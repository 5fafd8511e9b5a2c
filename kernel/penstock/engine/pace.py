"""How long calls of one kind take: those that are fast share a trip to a pool, which costs more than they do."""

from dataclasses import dataclass
from typing import Final

from penstock import clock

TRIP_SECONDS: Final = 0.001
"""How long calls that travel to a remote pool together should take at least."""
BATCH_SECONDS: Final = 0.05
"""How long they should take at most; and how long others wait for the first ones to tell."""
TINY: Final = 32
"""After how many calls that were fast the next are taken to be."""


@dataclass(slots=True)
class Pace:
    """What is known of how long calls take."""

    begun: int = 0
    measured: int = 0
    _seconds: float = 0.0
    _until: float | None = None

    def measure(self, seconds: float, count: int, *, sure: bool = False) -> None:
        """Take up that each of *count* calls took so long; *sure* says that calls of the kind do take as long as that.

        Otherwise one that was odd moves little, such as the first in a worker, which imports modules.
        """
        step = 2.0 ** min(count, 64)
        least, most = self._seconds / step, self._seconds * step if self.measured and not sure else seconds
        self._seconds = max(least, min(seconds, most))
        self.measured += count

    def fitting(self, seconds: float) -> int:
        """Return how many calls take *seconds* together: one, as long as none was measured."""
        return max(1, int(seconds / max(self._seconds, 1e-7))) if self.measured else 1

    def waits(self, few: int = 1) -> bool:
        """Return whether further calls wait for the first to tell whether they are tiny; once, and not for long.

        At least *few* have to have come back to say that they are not.
        """
        if self.measured >= TINY or (self.measured >= few and self.fitting(TRIP_SECONDS) == 1):
            return False
        self._until = self._until or clock.monotonic() + BATCH_SECONDS
        return clock.monotonic() < self._until
