"""Virtual time: an hour of retry delays in a moment."""

import functools
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Final, TypeVar

from penstock import clock, errors
from penstock.context import Frame, context, current

T = TypeVar("T")

_BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
_TICK: Final = 0.002
"""Real seconds between two looks at what tells nobody that it has changed: an event, a queue, a call in a pool."""


class TimeStandsStillError(errors.PenstockError, RuntimeError):
    """Somebody waits for virtual time, which cannot move since somebody else does not."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A thread that waits: until when, what else may wake it, and whose turn it is among equals."""

    due: float
    order: tuple[Any, ...]
    runs: list[str]
    """The flow runs it works for, the innermost first."""
    event: threading.Event | None = None
    queue: "SimpleQueue[Any] | None" = None
    calls: Any = ()
    thread: threading.Thread = field(default_factory=threading.current_thread)
    woken: threading.Event = field(default_factory=threading.Event)


class VirtualClock(clock.Clock):
    """A clock that stands still while anybody works, and jumps to the first wake-up when all wait for the time.

    Put it in place with `with clock.use(VirtualClock()):`. Who counts:

    * a thread that runs a flow, and the calls that it has under way in threads and in other processes;
    * a thread inside `participate()`, and one that `start` began, until it ends;
    * any other thread only as long as it waits.

    Whoever waits is woken alone, the one with the earliest time first and always in the same order, and time does not
    move on before it waits again or has ended. Work that does not wait on the clock is waited for really, as are tasks
    in other processes, `time.sleep`, `asyncio.sleep` and the `timeout` of tasks.
    """

    virtual: ClassVar[bool] = True

    def __init__(self, start: datetime = _BEGIN, *, patience: float = 60) -> None:
        """Stand at *start*, a time with its zone.

        After *patience* real seconds in which virtual time could not move, those who wait for it raise
        TimeStandsStillError.
        """
        self._start = start
        self._passed = 0.0
        self._patience = patience
        self._moved = time.monotonic()
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._participants: Counter[threading.Thread] = Counter()
        self._places: dict[threading.Thread, int] = {}
        self._tie = itertools.count()
        _stay_in_this_process()

    def now(self) -> datetime:
        """Return the virtual wall time, in UTC."""
        return (self._start + timedelta(seconds=self._passed)).astimezone(UTC)

    def monotonic(self) -> float:
        """Return the virtual seconds since the clock was made."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Return after virtual *seconds*."""
        if seconds > 0:
            with self._waits(seconds) as waiting:
                while not waiting.woken.wait(10 * _TICK):
                    self._look(waiting)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return whether *event* is set: as soon as it is, or after virtual *seconds*."""
        if seconds > 0 and not event.is_set():
            with self._waits(seconds, event=event) as waiting:
                while not waiting.woken.is_set() and not event.wait(_TICK):
                    self._look(waiting)
        return event.is_set()

    def get(self, queue: "SimpleQueue[T]", seconds: float | None, calls: Any = ()) -> T:
        """Return the next item; raises queue.Empty after virtual *seconds*, never if that is None."""
        if not queue.empty() or (seconds is not None and seconds <= 0):
            return queue.get_nowait()
        with self._waits(seconds, queue=queue, calls=calls) as waiting:
            while not waiting.woken.is_set():
                try:
                    return queue.get(timeout=_TICK)
                except Empty:
                    self._look(waiting)
        return queue.get_nowait()

    @contextmanager
    def participate(self) -> Iterator[None]:
        """Let time move inside the block only while this thread waits for it: not while it works or joins others."""
        self._join(threading.current_thread())
        try:
            yield
        finally:
            self._leave(threading.current_thread())

    def start(self, thread: threading.Thread) -> None:
        """Start a thread that participates from now on until it ends."""
        run = thread.run

        def participating() -> None:
            try:
                run()
            finally:
                self._leave(thread)

        thread.run = participating  # type: ignore[method-assign]  # of this one thread
        self._join(thread)
        thread.start()

    def _join(self, thread: threading.Thread) -> None:
        with self._lock:
            self._participants[thread] += 1
            self._places.setdefault(thread, next(self._tie))

    def _leave(self, thread: threading.Thread) -> None:
        with self._lock:
            self._participants[thread] -= 1
            if not self._participants[thread]:
                del self._participants[thread], self._places[thread]
            self._advance()

    @contextmanager
    def _waits(self, seconds: float | None, **what: Any) -> Iterator[_Waiting]:
        """Count this thread among those who wait, until it is woken or wakes by itself."""
        with self._lock:
            due = float("inf") if seconds is None else self._passed + seconds
            waiting = _Waiting(due, (), _runs(), **what)
            waiting.order = due, waiting.queue is not None, self._rank(), next(self._tie)
            self._waiting.append(waiting)
            self._moved = time.monotonic()
            self._advance()
        try:
            yield waiting
        finally:
            with self._lock:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
                self._moved = time.monotonic()

    def _rank(self) -> tuple[Any, ...]:
        """Return this thread's place among those who are woken at the same time: as they joined, then by task."""
        place = self._places.get(threading.current_thread(), float("inf"))
        return place, context.get("task_slug") or "", -1 if (child := context.get("map_index")) is None else child

    def _look(self, waiting: _Waiting) -> None:
        """Move on if that has become possible unnoticed; raise if it has not for long."""
        with self._lock:
            self._advance()
            late = time.monotonic() - self._moved > self._patience
            if not late or waiting.woken.is_set() or waiting.due == float("inf"):
                return
            found = "; ".join(self._at_work()) or "nobody"
        message = (
            f"Virtual time has stood still at {self._passed:g} s for {self._patience:g} real seconds, while "
            f"{waiting.thread.name} waits for {waiting.due:g} s. Not waiting for it: {found}. Let them wait on "
            f"penstock.clock too, or give VirtualClock more patience= if they really work that long"
        )
        raise TimeStandsStillError(message)

    def _advance(self) -> None:
        """Jump to the first wake-up and wake whoever waits for it, if all wait."""
        while self._waiting and not self._at_work():
            first = min(self._waiting, key=lambda waiting: waiting.order)
            if first.due == float("inf"):
                return
            self._passed = max(self._passed, first.due)
            self._moved = time.monotonic()
            self._waiting.remove(first)
            first.woken.set()

    def _at_work(self) -> list[str]:
        """Name whoever is not waiting for the time to pass, and so keeps it from passing."""
        waiting = {one.thread for one in self._waiting}
        names = [f"thread {one.name}" for one in self._participants if one not in waiting]
        for one in self._waiting:
            if one.event is not None and one.event.is_set():
                names.append(f"thread {one.thread.name}, whose event is set")
            elif one.queue is not None and (calls := self._working(one)):
                names.append(f"{calls} calls under way in a run that {one.thread.name} drives")
        return names

    def _working(self, driver: _Waiting) -> int:
        """Return how many calls of a run are at work, are about to be begun, or have ended and not been taken up."""
        assert driver.queue is not None
        run = driver.runs[0] if driver.runs else None
        asleep = sum(run in other.runs for other in self._waiting if other.thread is not driver.thread)
        calls: list[Any] = list(driver.calls)
        begun: int = sum(call.running() or call.done() for call in calls)
        room = getattr(getattr(driver.calls, "pool", None), "_max_workers", float("inf")) > begun
        begins = len(calls) > begun and room
        return max(begun - asleep, 0) + begins + driver.queue.qsize()


def _runs() -> list[str]:
    """Return the ids of the flow runs this code works for, the innermost first."""
    runs: list[str] = []
    frame: Frame | None = current()
    while frame is not None:
        if "flow_run_id" in frame.values:
            runs.append(frame.values["flow_run_id"])
        frame = frame.below
    return runs


@functools.cache
def _stay_in_this_process() -> None:
    """Let a process that is forked off begin with real time."""

    def begin() -> None:
        clock._clock = clock.Clock()  # noqa: SLF001 - `use` would put back the clock of the parent

    os.register_at_fork(after_in_child=begin)
