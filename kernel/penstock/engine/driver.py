"""The driver: goes through a plan, task by task, until every task that can end has ended.

In process it first sweeps the plan's order, running plain tasks as fast as calls can be made. What a sweep cannot
end (a retry that waits, and what depends on it) and everything that goes to a pool is driven by counting: a task is
ready when the last of those it waits for has ended.
"""

import heapq
import itertools
import logging
from collections import deque
from concurrent import futures
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, Final

from penstock import clock
from penstock.context import enter, leave
from penstock.edges import MAPPED
from penstock.engine.admission import begin_mapping, refused
from penstock.engine.board import CLEAN, HELD, ODD, WAITING, Board
from penstock.engine.frames import TaskFrame
from penstock.engine.mapping import Mapping, passed
from penstock.engine.watching import committed, handled, moved
from penstock.engine.work import SUCCEEDED, Call, Ended, Loop, Work, is_plain, state_of, unreadable
from penstock.states import (
    Failed,
    Looped,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    State,
    Success,
)

_WINDOW: Final = 256
"""How many calls may be at a pool at once; the rest waits here, where it costs nothing."""
_BATCH_SECONDS: Final = 0.05
"""How long the children that travel to a remote pool together should take."""


class Driver:
    """One run of a plan; its `board` says afterwards how each task ended."""

    def __init__(self, board: Board) -> None:
        """Prepare to run what is waiting on *board*."""
        self.board: Board = board
        self._odd = False
        self._maps: dict[int, Mapping] = {}
        self._works: dict[int, Work] = {}
        self._held: list[tuple[datetime, int, int, int | None, int, Loop]] = []
        self._tie = itertools.count()
        self._ready: deque[int] = deque()
        self._mapping: deque[Mapping] = deque()
        self._downstream: dict[int, list[int]] = {}
        self._counts: dict[int, int] = {}
        self._pool: futures.Executor | None = None
        self._flying: dict[futures.Future[Ended], tuple[int, list[Call]]] = {}
        self._landed: SimpleQueue[futures.Future[Ended]] = SimpleQueue()

    def run(self, pool: futures.Executor | None) -> None:
        """Run every task, in this thread if *pool* is None."""
        self._pool = pool
        token = enter(self.board.setup.frame)
        try:
            self._tell_of_preset()
            if pool is None:
                self._sweep()
            left = [n for n in self.board.plan.order if self.board.ended[n] in (WAITING, HELD)]
            if left:
                self._drive(left)
        finally:
            for future in self._flying:
                future.cancel()
            leave(token)

    def _tell_of_preset(self) -> None:
        """Let those who watch know of the tasks whose value was there before the run: parameters."""
        if self.board.setup.watched:
            for number in [number for number, how in enumerate(self.board.ended) if how == CLEAN]:
                committed(self.board, number, None, 1, Pending(), self.board.state(number))

    # in process, in order

    def _sweep(self) -> None:
        """Run the plan in its order; what has to wait for a time is left, with all that depends on it."""
        board, plan, setup = self.board, self.board.plan, self.board.setup
        ended, values, inputs, keys = board.ended, board.values, plan.inputs, plan.keys
        functions, plain, frame = plan.functions, plan.plain, setup.frame
        straight = not setup.watched and not setup.wrapped and setup.result is None
        for number in plan.order:
            if ended[number]:
                continue
            if not (straight and plain[number]) or (self._odd and not board.is_clean_above(number)):
                self._take(number)
                continue
            enter(TaskFrame(frame, board, number))
            try:
                positions = inputs[number]
                if keys[number] is not None:
                    values[number] = self._call_by_name(number)
                elif not positions:
                    values[number] = functions[number]()
                elif len(positions) == 1:
                    values[number] = functions[number](values[positions[0]])
                else:
                    values[number] = functions[number](*[values[position] for position in positions])
            except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
                self._settle(number, None, 1, state_of(error))
            else:
                ended[number] = CLEAN

    def _call_by_name(self, number: int) -> Any:
        plan = self.board.plan
        given = [self.board.values[position] for position in plan.inputs[number]]
        return plan.functions[number](**dict(zip(plan.keys[number] or (), given, strict=True)))

    def _take(self, number: int) -> None:
        """Begin a task of the sweep, or hold it if something it waits for has not ended."""
        if self.board.is_waiting_above(number):
            self.board.ended[number] = HELD
        else:
            self._begin(number)

    # by counting

    def _drive(self, left: list[int]) -> None:
        self._downstream, self._counts = self.board.plan.downstream(left)
        begun = set(self._maps) | {number for _, _, number, *_ in self._held}
        self._ready.extend(number for number in left if not self._counts[number] and number not in begun)
        while self._ready or self._mapping or self._flying or self._held:
            self._release_due()
            while self._ready and len(self._flying) < _WINDOW:
                self._begin(self._ready.popleft())
            self._feed_mapped()
            if self._flying:
                self._land()
            elif self._held and not self._ready and not self._mapping:
                clock.sleep(self._until_due())

    def _release_due(self) -> None:
        while self._held and self._until_due() <= 0:
            _, _, number, child, attempt, loop = heapq.heappop(self._held)
            self._attempt(number, child, attempt, loop)

    def _until_due(self) -> float:
        """Return the seconds until the first of the held attempts is due."""
        return (self._held[0][0] - clock.now()).total_seconds()

    def _land(self) -> None:
        """Wait for a call to come back, or for an attempt to be due, and take up all that is there."""
        try:
            future = self._landed.get(timeout=max(self._until_due(), 0) if self._held else None)
        except Empty:
            return
        self._take_up(future)
        while not self._landed.empty():
            self._take_up(self._landed.get())

    def _take_up(self, future: "futures.Future[Ended]") -> None:
        number, calls = self._flying.pop(future)
        try:
            ended = future.result()
        except Exception as error:  # noqa: BLE001 - a pool's or a user's: whatever could not be brought back
            self._lose(number, calls, error)
            return
        for record in ended.records:
            logger = logging.getLogger(record.name)
            if logger.isEnabledFor(record.levelno):  # what a worker let pass may be below the level that holds here
                logger.handle(record)
        mapping = self._maps.get(number)
        if mapping is not None:
            mapping.seconds_each = ended.seconds / len(calls)
        self._settle_all(number, calls, ended)

    def _lose(self, number: int, calls: list[Call], error: Exception) -> None:
        """Fail the call that its pool could not bring back; calls lost together are made again, each alone."""
        if len(calls) > 1:
            for call in calls:
                self._hand_over(number, [call])
            return
        lost = unreadable(self.board.plan.tasks[number].name, error)
        self._settle_all(number, calls, Ended([None], {0: lost}))

    # one task

    def _begin(self, number: int) -> None:
        """Run a task for which all it waits for has ended, unless it is skipped or its trigger refuses."""
        plan = self.board.plan
        if any(mark & MAPPED for mark in (*(plan.marks[number] or ()), *(plan.after_marks[number] or ()))):
            self._begin_mapped(number)
            return
        why = refused(self.board, number, None)
        if why is not None:
            self._settle(number, None, 0, why)
        else:
            self._attempt(number, None, 1)

    def _attempt(self, number: int, child: int | None, attempt: int, loop: Loop = None) -> None:
        """Run the body of a task or child, here or in the pool."""
        mapping = self._maps.get(number)
        args = mapping.inputs(child) if mapping is not None and child is not None else self._arguments(number)
        self._submit(number, [(args, child, attempt, loop)])

    def _arguments(self, number: int) -> tuple[Any, ...]:
        board, plan = self.board, self.board.plan
        if plan.marks[number] is None:
            return tuple([board.values[position] for position in plan.inputs[number]])
        return tuple([passed(board, other, mark, {}) for other, mark in plan.marked_inputs(number)])

    def _submit(self, number: int, calls: list[Call]) -> None:
        if self.board.setup.watched or self.board.plan.tasks[number].options.state_handlers:
            calls = [call for call in calls if self._is_started(number, call)]
        if calls:
            self._hand_over(number, calls)

    def _is_started(self, number: int, call: Call) -> bool:
        """Move a call to Running; whatever else a handler or a policy makes of that is how it ended."""
        _, child, attempt, loop = call
        before, running = self._before(number, child), Running("Starting task run.")
        state = moved(self.board, number, child, attempt, before, running)
        if not state.is_running():
            self._conclude(number, child, attempt, state, loop)
        return state.is_running()

    def _hand_over(self, number: int, calls: list[Call]) -> None:
        work = self._work(number)
        if self._pool is None:
            self._settle_all(number, calls, work(calls))
            return
        future = self._pool.submit(work, calls)
        self._flying[future] = number, calls
        future.add_done_callback(self._landed.put)

    def _work(self, number: int) -> Work:
        work = self._works.get(number)
        if work is None:
            plan, setup, task = self.board.plan, self.board.setup, self.board.plan.tasks[number]
            work = self._works[number] = Work(
                plan.functions[number],
                plan.keys[number],
                self.board.identify(number),
                setup.run,
                setup.values,
                names=task.signature.names,
                result=setup.result_of(task),
                wrapped=setup.wrapped,
                remote=setup.remote,
            )
        return work

    def _before(self, number: int, child: int | None) -> State:
        mapping = self._maps.get(number)
        known = self.board.states.get(number) if mapping is None or child is None else mapping.children.odd.get(child)
        return known if isinstance(known, Scheduled) else Pending()

    # mapped tasks

    def _begin_mapped(self, number: int) -> None:
        begun = begin_mapping(self.board, number)
        if isinstance(begun, State):
            self._settle(number, None, 0, begun)
            return
        ready = Mapped("Ready to be mapped.", n_map_states=begun.width)
        state = handled(self.board, number, None, 1, Pending(), ready)
        if not state.is_mapped():
            self._conclude(number, None, 0, committed(self.board, number, None, 1, Pending(), state))
            return
        self._maps[number] = begun
        if not begun.width:
            self._end_mapped(begun)
        elif self._pool is None:
            self._map_here(begun)
        else:
            self._mapping.append(begun)

    def _map_here(self, mapping: Mapping) -> None:
        setup, task = self.board.setup, self.board.plan.tasks[mapping.number]
        watched = setup.watched or setup.wrapped or task.options.state_handlers or setup.result_of(task) is not None
        if mapping.clean and not watched:
            self._map_straight(mapping)
            return
        for child in range(mapping.width):
            calls = self._calls(mapping, child)
            if calls:
                self._submit(mapping.number, calls)

    def _map_straight(self, mapping: Mapping) -> None:
        """Call the function once per child with nothing between; a child that raises takes the long way."""
        plan, number = self.board.plan, mapping.number
        function, keys = plan.functions[number], plan.keys[number]
        values, pending, done = mapping.values, mapping.pending, 0
        frame = TaskFrame(self.board.setup.frame, self.board, number, 0)
        only = mapping.arguments[0] if keys is None and mapping.mapped == [True] else None
        enter(frame)
        for child in range(mapping.width):
            frame.at_child(child)
            try:
                if only is not None:
                    values[child] = function(only[child])
                elif keys is None:
                    values[child] = function(*mapping.inputs(child))
                else:
                    values[child] = function(**dict(zip(keys, mapping.inputs(child), strict=True)))
            except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
                mapping.left += 1  # the mapping does not end before the loop has
                self._settle(number, child, 1, state_of(error))
                mapping.left -= 1
            else:
                pending[child] = 0
                done += 1
        mapping.left -= done
        if not mapping.left:
            self._end_mapped(mapping)

    def _calls(self, mapping: Mapping, child: int) -> list[Call]:
        """Return the call of a child, none if it is skipped or its trigger refuses."""
        why = None if mapping.clean else refused(self.board, mapping.number, child, mapping.origins)
        if why is None:
            return [(mapping.inputs(child), child, 1, None)]
        self._settle(mapping.number, child, 0, why)
        return []

    def _feed_mapped(self) -> None:
        """Submit children of mapped tasks in batches, as long as there is room."""
        while self._mapping and len(self._flying) < _WINDOW:
            mapping = self._mapping[0]
            batch = range(mapping.next, min(mapping.next + self._batch_size(mapping), mapping.width))
            mapping.next = batch.stop
            if mapping.next == mapping.width:
                self._mapping.popleft()
            calls = [call for child in batch for call in self._calls(mapping, child)]
            if calls:
                self._submit(mapping.number, calls)

    def _batch_size(self, mapping: Mapping) -> int:
        """Return how many children travel together to a remote pool: one, until their time was measured."""
        if mapping.seconds_each is None or not self.board.setup.remote:
            return 1
        fair = max(1, (mapping.width - mapping.next) // 16)
        return min(fair, max(1, int(_BATCH_SECONDS / max(mapping.seconds_each, 1e-7))))

    def _end_mapped(self, mapping: Mapping) -> None:
        del self._maps[mapping.number]
        state = committed(self.board, mapping.number, None, 1, Pending(), mapping.state())
        clean = mapping.is_clean() and isinstance(state, Mapped)
        self._finish(mapping.number, state, CLEAN if clean else ODD)

    # after a task

    def _settle_all(self, number: int, calls: list[Call], ended: Ended) -> None:
        for position, (_, child, attempt, loop) in enumerate(calls):
            state = ended.states.get(position) or Success(SUCCEEDED, ended.values[position])
            self._settle(number, child, attempt, state, loop)

    def _settle(self, number: int, child: int | None, attempt: int, state: State, loop: Loop = None) -> None:
        """Take up how an attempt ended, once all have had their say.

        Attempt 0 stands for none: the task was refused before its first.
        """
        self._conclude(number, child, attempt, self._agreed(number, child, attempt, state), loop)

    def _conclude(self, number: int, child: int | None, attempt: int, state: State, loop: Loop = None) -> None:
        """Hold what is to be tried again, in the same round of its loop, or to go into the next; end the rest."""
        if isinstance(state, Looped):
            self._hold(number, child, 1, state, (state.loop_count + 1, state.result))
        elif isinstance(state, Scheduled) and not isinstance(state, Paused):
            self._hold(number, child, attempt + isinstance(state, Retrying), state, loop)
        elif child is not None:
            self._end_child(number, child, state)
        else:
            self._finish(number, state, CLEAN if is_plain(state) else ODD)

    def _agreed(self, number: int, child: int | None, attempt: int, state: State) -> State:
        """Return the state that an attempt ends in; a failure with retries left is committed as Retrying only."""
        old: State = Running() if attempt else Pending()
        state = handled(self.board, number, child, attempt, old, self._timed(number, attempt, state))
        again = self._retrying(number, attempt, state) if isinstance(state, Failed) else None
        if again is not None:
            state = handled(self.board, number, child, attempt, state, again)
        return committed(self.board, number, child, attempt, old, state)

    def _timed(self, number: int, attempt: int, state: State) -> State:
        """Give a Retrying state that a signal made what only the driver knows: the attempt, and when."""
        if isinstance(state, Retrying):
            state.run_count = attempt
            delay = self.board.plan.tasks[number].options.retry_delay
            if delay is not None and state.start_time is not None and state.start_time <= clock.now():
                state.start_time = clock.now() + delay
        return state

    def _retrying(self, number: int, attempt: int, state: State) -> Retrying | None:
        """Return the state to retry in, or None if this failure is final."""
        options = self.board.plan.tasks[number].options
        if not attempt or attempt > options.max_retries or (state.context or {}).get("final"):
            return None
        if options.retry_on and state.result is not None and not isinstance(state.result, options.retry_on):
            return None
        message = f"Retrying Task (after attempt {attempt} of {options.max_retries + 1})"
        start_time = clock.now() + (options.retry_delay or timedelta())
        return Retrying(message, state.result, run_count=attempt, start_time=start_time, context=state.context)

    def _hold(self, number: int, child: int | None, attempt: int, state: State, loop: Loop = None) -> None:
        """Let an attempt wait for the time that its state names; the next round of a loop need not wait."""
        self._odd = True
        self.board.ended[number] = HELD
        if child is None:
            self.board.states[number] = state
        else:
            self._maps[number].children.odd[child] = state
        due = state.start_time if isinstance(state, Scheduled) else None
        heapq.heappush(self._held, (due or clock.now(), next(self._tie), number, child, attempt, loop))

    def _end_child(self, number: int, child: int, state: State) -> None:
        mapping = self._maps[number]
        mapping.end(child, state)
        if not mapping.left:
            self._end_mapped(mapping)

    def _finish(self, number: int, state: State, how: int) -> None:
        """Take up the terminal state of a task and make ready what waited for it."""
        board = self.board
        board.values[number] = state.result
        board.ended[number] = WAITING if isinstance(state, Paused) else how
        self._odd = self._odd or how == ODD
        if type(state) is Success and how == CLEAN:
            board.states.pop(number, None)
        else:
            board.states[number] = state
        if isinstance(state, Paused):
            return
        for other in self._downstream.get(number, ()):
            self._counts[other] -= 1
            if not self._counts[other]:
                self._ready.append(other)
