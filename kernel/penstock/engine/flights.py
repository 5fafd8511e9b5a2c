"""Calls that are under way elsewhere: in a pool, or on the event loop."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from penstock import clock, errors, redaction, settings
from penstock.context import enter, leave
from penstock.engine import records
from penstock.engine.board import Board
from penstock.engine.event_loop import EventLoop
from penstock.engine.failures import state_of, unreadable
from penstock.engine.frames import TaskFrame
from penstock.engine.pace import BATCH_SECONDS, TINY, TRIP_SECONDS, Pace
from penstock.engine.work import Call, Ended, Work
from penstock.states import TimedOut

Landed: TypeAlias = "int | tuple[int, Sequence[Call], Ended]"
"""A plain task that succeeded, by its number; or a task's number, its calls, and how they ended."""

WINDOW: Final = 256
"""How many calls may be at a pool at once; the rest waits here, where it costs nothing."""
_TOGETHER: Final = WINDOW // 4
"""How many tasks may share a trip, so that others are on their way while these are taken up."""
_FEW: Final = 8
"""After how many tasks that were slow the next are taken to be."""


class Flights:
    """The calls that were handed over and have not come back, each with its task's number."""

    def __init__(self, board: Board, pool: futures.Executor | None) -> None:
        """Hand over to *pool*; None stands for the calling thread."""
        self.pool: Any = pool
        self._board = board
        self._loop = EventLoop()
        self._begin_coroutine = getattr(pool, "submit_coroutine", self._loop.submit)
        self._works: dict[object, Work] = {}
        self._paces: defaultdict[Work, Pace] = defaultdict(Pace)
        self._gathered: defaultdict[Work, list[tuple[int, Call]]] = defaultdict(list)
        self._flying: dict[futures.Future[Ended], tuple[Sequence[int], Sequence[Call]]] = {}
        self._plain: dict[int, futures.Future[None]] = {}
        self._limits = settings.get().limits
        self._limited: Counter[str] = Counter()
        self.plain: bytearray = board.plan.plain
        if self._limits:  # the short way is not for what may have to wait
            self.plain = bytearray([one and not self.limited(number) for number, one in enumerate(self.plain)])
        self._landed: SimpleQueue[futures.Future[Ended] | int | tuple[int, BaseException]] = SimpleQueue()

    def __len__(self) -> int:
        """Return how many calls, or batches of them, are under way or gathered for it."""
        return len(self._flying) + len(self._plain) + sum(map(len, self._gathered.values()))

    def __iter__(self) -> "Iterator[futures.Future[Any]]":
        """Iterate over the futures of what is under way."""
        return chain(self._flying, self._plain.values())

    def limited(self, number: int) -> list[str]:
        """Return those tags of a task whose tasks may not all run at once."""
        return [*self._board.plan.tasks[number].options.tags & self._limits.keys()] if self._limits else []

    def has_room(self, number: int) -> bool:
        """Return whether another call of a task may be under way now."""
        return len(self) < WINDOW and all(self._limited[tag] < self._limits[tag] for tag in self.limited(number))

    def hand_over_plain(self, number: int) -> bool:
        """Let a thread of the pool run a task with nothing around it, and put its value on the board.

        Returns whether the pool takes it; `hand_over` tells what becomes of one that it does not take.
        """
        try:
            self._plain[number] = self.pool.submit(self._run_plain, number)
        except Exception:  # noqa: BLE001 - the pool's own
            return False
        return True

    def _run_plain(self, number: int) -> None:
        board = self._board
        token = enter(TaskFrame(board.setup.frame, board, number))
        try:
            board.values[number] = board.call(number)
        except BaseException as error:  # noqa: BLE001 - the user's body: it becomes the task's state when it lands
            self._landed.put((number, error))
        else:
            self._landed.put(number)
        finally:
            leave(token)

    def hand_over(self, number: int, calls: Sequence[Call]) -> Ended | None:
        """Hand calls over; return how they ended if they have been made here and now.

        Those of tasks that do the same work travel together, once it is known to be fast.
        """
        work, slug = self.work(number), self._board.identify(number)[1]
        if work.identity[1] != slug:
            calls = [(*call[:3], {**(call[3] or {}), "task_slug": slug}) for call in calls]
        if self._board.plan.tasks[number].signature.is_async:
            self._fly([number], calls, self._begin_coroutine, partial(work.await_body, calls[0]))
        elif self.pool is None:
            return work(calls)
        elif calls[0][1] is None and not self.limited(number) and self._gathers(self._paces[work]):
            self._gathered[work].append((number, calls[0]))
        else:
            self._fly([number], calls, self.pool.submit, work, calls)
        return None

    @staticmethod
    def _gathers(pace: Pace) -> bool:
        pace.begun += 1
        return pace.begun > TINY and (pace.fitting(TRIP_SECONDS) > 1 or pace.waits(_FEW))

    def _send_gathered(self) -> None:
        """Hand over what was gathered, but for what waits until the first of its kind have come back."""
        for work, gathered in [*self._gathered.items()]:
            pace = self._paces[work]
            if not (self._flying and pace.waits(_FEW)):
                self._fly_by(min(pace.fitting(TRIP_SECONDS), _TOGETHER), *zip(*gathered, strict=True))
                del self._gathered[work]

    def _fly_by(self, size: int, numbers: Sequence[int], calls: Sequence[Call]) -> None:
        """Hand over calls, so many at once; *numbers* is one for all of them, or one for each."""
        for start in range(0, len(calls), size):
            some, together = numbers[start : start + size] or numbers, calls[start : start + size]
            self._fly(some, together, self.pool.submit, self.work(some[0]), together)

    def _fly(self, numbers: Sequence[int], calls: Sequence[Call], submit: Callable[..., Any], *args: Any) -> None:
        """Hand calls over by calling *submit*; if that raises, as that of a broken pool does, it is how they end."""
        try:
            future: futures.Future[Ended] = submit(*args)
        except Exception as error:  # noqa: BLE001 - the pool's own
            future = futures.Future()
            future.set_exception(error)
        self._flying[future] = numbers, calls
        self._limited.update(self.limited(numbers[0]))
        future.add_done_callback(self._landed.put)

    def pace(self, number: int) -> Pace:
        """Return how long the calls of a task take, and of others that do the same work."""
        return self._paces[self.work(number)]

    def work(self, number: int) -> Work:
        """Return what runs the calls of a task; tasks of one function and options share it, so that it travels once."""
        plan, setup, task = self._board.plan, self._board.setup, self._board.plan.tasks[number]
        inputs, keys = task.signature, plan.keys[number]
        shared = setup.remote and task.options.straight and not setup.wrapped
        known = (id(plan.functions[number]), id(task.options), task.name, keys) if shared else number
        work = self._works.get(known)
        if work is None:
            work = self._works[known] = Work(
                plan.functions[number], keys, keys or inputs.names, self._board.identify(number), setup.run,
                setup.values, setup.around(task), looks=self.pool is not None or inputs.is_async,
            )  # fmt: skip
        return work

    def land(self, seconds: float | None) -> Iterator[Landed]:
        """Wait for a call to come back, for *seconds* or until the clock lets one look up; take up all that are there.

        Where some wait for others to tell how long they take, it is looked at again soon.
        """
        self._send_gathered()
        landed, plain = self._landed, self._plain
        patience = [one for one in (seconds, BATCH_SECONDS if self._gathered else None) if one is not None]
        try:
            item = clock.current().get(landed, min(patience, default=None), self)
        except Empty:
            yield from self._cancelled()
            return
        while True:
            if isinstance(item, int):
                del plain[item]
                yield item
            elif isinstance(item, tuple):
                del plain[item[0]]
                yield item[0], [((), None, 1, None)], Ended([None], {0: state_of(item[1])})
            else:
                yield from self._take_up(item)
            if landed.empty():
                return
            item = landed.get()

    def _cancelled(self) -> Iterator[Landed]:
        """Take up plain calls that somebody cancelled together with the pool; they do not land."""
        for number in [number for number, future in self._plain.items() if future.cancelled()]:
            del self._plain[number]
            yield number, [((), None, 1, None)], self._lost(number, futures.CancelledError("its pool was shut down"))

    def _take_up(self, future: "futures.Future[Ended]") -> Iterator[Landed]:
        numbers, calls = self._flying.pop(future)
        self._limited.subtract(self.limited(numbers[0]))
        try:
            ended = future.result()
        except Exception as error:  # noqa: BLE001 - a pool's or a user's: whatever could not be brought back
            left, size, position = [*calls], 1, 0 if len(calls) == 1 else getattr(error, "position", None)
            if position is not None:
                number = numbers[position % len(numbers)]
                yield number, [left.pop(position)], self._lost(number, error)
                numbers, size = [*numbers[:position], *numbers[position + 1 :]] or numbers, len(calls)
            self._fly_by(size, numbers, left)  # lost together: each alone, unless it is known which is to blame
            return
        redaction.hide(ended.secrets)
        records.show(ended.records)
        done, pace = len(ended.values), self.pace(numbers[0])
        # those on threads may wait for one another, so that a slow one tells of others
        pace.measure(ended.seconds / done, done, sure=done < len(calls) or not self._board.setup.remote)
        self._fly_by(pace.fitting(BATCH_SECONDS), numbers[done:] or numbers, calls[done:])  # for which was no time
        if len(numbers) == 1:
            yield numbers[0], calls[:done], ended
            return
        for position, (number, call) in enumerate(zip(numbers[:done], calls, strict=False)):
            state = {0: ended.states[position]} if position in ended.states else {}
            yield number, [call], Ended([ended.values[position]], state)

    def _lost(self, number: int, error: Exception) -> Ended:
        """Return the end of a call that its pool could not bring back."""
        task = self._board.plan.tasks[number]
        if not (isinstance(error, errors.ExecutorError) and error.timed_out):
            return Ended([None], {0: unreadable(task.name, error)})
        message = f"did not end within {task.options.timeout:g} s; its worker was ended"
        return Ended([None], {0: TimedOut(message, TimeoutError(message))})

    def close(self) -> None:
        """Cancel what has not begun, and end the event loop."""
        for future in self:
            future.cancel()
        self._loop.close()
