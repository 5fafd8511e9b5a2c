"""Times moved a little, so that not everything begins at once: always in the same way, whoever asks."""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock_schedulers.planned import Planned

_SECOND: Final = timedelta(seconds=1)


def spread(stream: "Iterable[Planned]") -> "Iterator[Planned]":
    """Yield the events of *stream*, each later by less than its jitter, and before the next time of the stream."""
    times = ([*together] for _, together in groupby(stream, key=lambda planned: planned.event.start_time))
    together = next(times, None)
    while together is not None:
        following = next(times, None)
        room = following[0].event.start_time - together[0].event.start_time if following else timedelta.max
        try:
            yield from sorted((_late(one, room) for one in together), key=lambda planned: planned.event.start_time)
        except OverflowError:  # past the year 9999 there are no dates
            return
        together = following


def _late(planned: "Planned", room: timedelta) -> "Planned":
    time = planned.event.start_time
    later = _drawn(time, min(planned.most_jitter, room), planned.seed)
    return replace(planned, event=replace(planned.event, start_time=time + later)) if later else planned


def _drawn(time: datetime, room: timedelta, seed: str) -> timedelta:
    """Return whole seconds less than *room*, drawn by what names the time: its seed and itself."""
    digest = sha256(f"{seed} {time.isoformat()}".encode()).digest()
    return int.from_bytes(digest[:8]) % max(room // _SECOND, 1) * _SECOND
