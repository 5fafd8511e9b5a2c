"""The driver: goes through a plan, task by task, until every task that can end has ended.

In process it first sweeps the plan's order, running plain tasks as fast as calls can be made. What a sweep cannot
end (a retry that waits, a coroutine, and what depends on it) and everything that goes to a pool is driven by
counting: a task is ready when the last of those it waits for has ended.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from itertools import compress, count
from typing import TYPE_CHECKING, Any, Final

from penstock import clock, states
from penstock.context import enter
from penstock.engine import retries
from penstock.engine.admission import admitted, refused
from penstock.engine.board import CLEAN, HELD, ODD, WAITING, Board
from penstock.engine.failures import state_of
from penstock.engine.flights import WINDOW, Flights
from penstock.engine.frames import TaskFrame, inside
from penstock.engine.mapping import Mapping, passed
from penstock.engine.maps import Maps
from penstock.engine.pace import BATCH_SECONDS, TINY, TRIP_SECONDS, Pace
from penstock.engine.runs import TaskRun
from penstock.engine.watching import committed, handled, moved
from penstock.engine.work import SUCCEEDED, Batch, Call, Ended, Extra, called, is_plain, task_returned
from penstock.tasks import Task

if TYPE_CHECKING:
    from concurrent import futures
    from datetime import datetime

_STARTING: Final = "Starting task run."
INTERRUPTED: Final = "The run was interrupted."
_THREAD_SECONDS: Final = 0.002
"""How long the children that share a thread's call should take: they may wait for one another."""


class Driver:
    """One run of a plan; its `board` says afterwards how each task ended."""

    def __init__(self, board: Board, pool: "futures.Executor | None") -> None:
        """Prepare to run what is waiting on *board*, in *pool*, or in this thread if that is None."""
        self.board: Board = board
        self._odd = ODD in board.ended or bool(board.states)
        self._maps = Maps(board)
        self._held: list[tuple[datetime, int, int, int | None, int, Extra]] = []
        self._paused: list[tuple[int, int | None, int, Extra]] = []
        self._limited: dict[frozenset[str], deque[tuple[int, int | None, int, Extra]]] = {}
        self._tie = count()
        self._ready: deque[int] = deque()
        self._downstream, self._counts = board.plan.downstream(())
        self._uses = [] if board.setup.keeps_values else [*board.plan.uses]
        self._flights = Flights(board, pool)
        setup = board.setup
        resumed = any(not board.ended[number] for number in board.states)
        around = resumed or setup.wrapped or setup.result is not None or setup.task_contexts or self._uses
        self._straight = not (around or setup.watched)
        self._tells = [tell for tell in setup.observers if tell not in setup.mourners]
        self._told = self._tells if not around and setup.propose is None else []
        self._threads = pool is not None and not setup.remote

    def run(self) -> None:
        """Run every task."""
        with inside(self.board.setup.frame), closing(self._flights), clock.current().participate():
            self._tell_of_preset()
            try:
                if self._flights.pool is None:
                    self._sweep()
                if left := self._left():
                    self._drive(left)
            except BaseException:
                for number in self._left():
                    committed(self.board, number, None, 1, states.Pending(), states.Cancelled(INTERRUPTED))
                raise

    def _left(self) -> list[int]:
        return [number for number in self.board.plan.order if self.board.ended[number] in {WAITING, HELD}]

    def _tell_of_preset(self) -> None:
        """Let those who watch know of the tasks whose value was there before the run: parameters."""
        if self.board.setup.watched:
            for number in [number for number, how in enumerate(self.board.ended) if how == CLEAN]:
                committed(self.board, number, None, 1, states.Pending(), self.board.state(number))

    # in process, in order

    def _sweep(self) -> None:  # noqa: C901 - the hot loop, where a call of its own costs as much as a task
        """Run the plan in its order; what has to wait for a time is left, with all that depends on it.

        Where nothing but observers stands between, they are told of plain tasks here.
        """
        board, plan, setup = self.board, self.board.plan, self.board.setup
        ended, values, inputs, keys = board.ended, board.values, plan.inputs, plan.keys
        functions, plain, frame, told = plan.functions, self._flights.plain, setup.frame, self._told
        straight, slugs = self._straight or told, setup.slugs() if told else {}
        pending, running, run = states.Pending(), states.Running(_STARTING), None
        for number in plan.order:
            if ended[number]:
                continue
            if not (straight and plain[number]) or (self._odd and not board.is_clean_above(number)):
                if not any(ended[other] in {WAITING, HELD} for other in plan.upstream(number)):
                    self._begin(number)
                    self._odd = self._odd or ended[number] == HELD or bool(board.maps)
                continue
            if told:
                task = plan.tasks[number]
                run = TaskRun(setup.run, task.name, slugs[task], task.options.tags, None)
                for tell in told:
                    tell(run, pending, running)
            enter(TaskFrame(frame, board, number))
            try:
                positions = inputs[number]
                if keys[number] is not None or len(positions) > 1:
                    value = board.call(number)
                else:
                    value = functions[number](values[positions[0]]) if positions else functions[number]()
                    if isinstance(value, Task):
                        raise task_returned(plan.tasks[number].name, value)  # noqa: TRY301 - as in board.call
            except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
                self._settle(number, None, 1, state_of(error))
                continue
            values[number] = value
            ended[number] = CLEAN
            if run is not None:
                success = states.Success(SUCCEEDED, value)
                for tell in told:
                    tell(run, running, success)

    # by counting

    def _drive(self, left: list[int]) -> None:
        self._downstream, self._counts = self.board.plan.downstream(left)
        self._ready.extend(n for n in left if not self._counts[n] and self.board.ended[n] == WAITING)
        while self._ready or self._flights or self._held or self._maps.deepest() is not None or self._resumed():
            self._release_due()
            while self._ready and len(self._flights) < WINDOW:
                self._begin(self._ready.popleft())
            self._feed_mapped()
            if self._flights:
                self._land()
                self._release_limited()
            elif self._held and not self._ready and self._maps.deepest() is None:
                clock.sleep(self._until_due())
        for mapping in self.board.maps.values():  # of which a child is paused
            self.board.states[mapping.number] = mapping.state()

    def _release_due(self) -> None:
        while self._held and self._until_due() <= 0:
            self._attempt(*heapq.heappop(self._held)[2:])

    def _release_limited(self) -> None:
        """Begin what waited for others of its tags to end."""
        for waiting in [*self._limited.values()]:
            while waiting and self._flights.has_room(waiting[0][0]):
                self._attempt(*waiting.popleft())

    def _until_due(self) -> float:
        """Return the seconds until the first of the held attempts is due."""
        return (self._held[0][0] - clock.now()).total_seconds()

    def _resumed(self) -> bool:
        """Ask of each paused task whether it may go on; return whether one may."""
        asked, approve = self._paused, self.board.setup.approve
        approved = [approve(self.board.task_run(*one[:3]).name) for one in asked]
        self._paused = [one for one, goes_on in zip(asked, approved, strict=True) if not goes_on]
        for one in compress(asked, approved):
            self._attempt(*one)
        return any(approved)

    def _land(self) -> None:
        """Wait for a call to come back, or for an attempt to be due, and take up all that is there."""
        mapping = self._maps.deepest() if self.board.setup.remote else None
        patience = [BATCH_SECONDS] if mapping is not None and self._flights.pace(mapping.number).waits() else []
        due = [max(self._until_due(), 0)] if self._held else []
        for landed in self._flights.land(min([*patience, *due], default=None)):
            if isinstance(landed, int):
                self.board.ended[landed] = CLEAN
                self._release(landed)
            else:
                self._settle_all(*landed)

    # one task

    def _begin(self, number: int) -> None:
        """Run a task for which all it waits for has ended, unless it is skipped or its trigger refuses."""
        board = self.board
        if self._goes_to_thread(number) and self._flights.hand_over_plain(number):
            board.ended[number] = HELD
            return
        if number in board.plan.mapped:
            self._begin_mapped(number)
            return
        board.ended[number] = HELD
        known = board.states.get(number)
        why = refused(board, number, None)
        if why is not None:
            self._settle(number, None, 0, why)
        elif isinstance(known, states.Scheduled) and known.start_time is not None and known.start_time > clock.now():
            self._hold(number, None, getattr(known, "run_count", 0) + 1, known, board.added(number))
        else:
            self._attempt(number, None, getattr(known, "run_count", 0) + 1, board.added(number))

    def _goes_to_thread(self, number: int) -> bool:
        able = self._threads and self._straight and bool(self._flights.plain[number])
        return able and (not self._odd or self.board.is_clean_above(number))

    def _attempt(self, number: int, child: int | None, attempt: int, extra: Extra = None) -> None:
        """Run the body of a task or child, here or in the pool."""
        if (tags := self._flights.limited(number)) and not self._flights.has_room(number):
            self._limited.setdefault(frozenset(tags), deque()).append((number, child, attempt, extra))
            return
        self._submit(number, self._call(number, child, attempt, extra))

    def _call(self, number: int, child: int | None, attempt: int, extra: Extra) -> list[Call]:
        """Return a call with its inputs; none, having failed it, where one cannot be read."""
        try:
            args = self._arguments(number) if child is None else self.board.maps[number].inputs(child)
        except Exception as error:  # noqa: BLE001 - a user's own sequence
            self._settle(number, child, attempt, state_of(error), extra)
            return []
        return [(args, child, attempt, extra)]

    def _arguments(self, number: int) -> tuple[Any, ...]:
        return tuple([passed(self.board, other, mark, {}) for other, mark in self.board.plan.marked_inputs(number)])

    def _submit(self, number: int, calls: Sequence[Call]) -> None:
        board, options = self.board, self.board.plan.tasks[number].options
        if not options.straight or board.setup.watched:
            calls = [ready for call in calls if (ready := self._prepared(number, call)) is not None]
        ended = self._flights.hand_over(number, calls) if calls else None
        if ended is not None:
            self._settle_all(number, calls, ended)

    def _prepared(self, number: int, call: Call) -> "Call | None":
        """Move a call to Running; return it with the name of its run, or None if it has ended before it began."""
        straight = self.board.plan.tasks[number].options.straight
        named = call if straight else admitted(self.board, self._flights.work(number), number, call)
        _, child, attempt, extra = call
        if isinstance(named, states.State):
            self._settle(number, child, 0, named, extra)
            return None
        state = moved(self.board, number, child, attempt, self._before(number, child), states.Running(_STARTING))
        if not state.is_running():  # what else a handler or a policy made of it
            self._conclude(number, child, attempt, state, extra)
            return None
        return named

    def _before(self, number: int, child: int | None) -> states.State:
        mapping = self.board.maps.get(number)
        known = self.board.states.get(number) if mapping is None or child is None else mapping.children.odd.get(child)
        return known if known is not None and known.is_scheduled() else states.Pending()

    # mapped tasks

    def _begin_mapped(self, number: int) -> None:
        known = self.board.states.get(number)
        root = self._maps.begin(number)
        if isinstance(root, states.State):
            self._settle(number, None, 0, root)
            return
        ready = states.Mapped("Ready to be mapped.", n_map_states=root.width)
        state = handled(self.board, number, None, 1, states.Pending(), ready)
        if not state.is_mapped():
            del self.board.maps[number]
            self._conclude(number, None, 0, committed(self.board, number, None, 1, states.Pending(), state))
            return
        chain = self._maps.follow(root)
        if isinstance(known, states.Mapped):  # children that ended in an earlier run stay as they ended
            for child, state in enumerate(known.map_states[: root.width]):
                if state.is_terminal():
                    self._end_child(number, child, state)
        if not root.width:
            self._end_mapped(root)
        elif root.left == root.width and self._goes_straight(chain):
            self._map_straight(chain)
        elif root.left:
            self._maps.queue(root)
            if self._flights.pool is None:
                self._feed_mapped()

    def _goes_straight(self, chain: list[Mapping]) -> bool:
        """Return whether the children of these mappings may be called with nothing between but observers."""
        setup, plan = self.board.setup, self.board.plan
        if self._flights.pool is not None or setup.propose is not None or setup.wrapped or setup.task_contexts:
            return False
        tasks = [plan.tasks[one.number] for one in chain if one.clean and not self._flights.limited(one.number)]
        able = [t for t in tasks if t.options.straight and not t.signature.is_async and setup.result_of(t) is None]
        return len(able) == len(chain)

    def _map_straight(self, chain: list[Mapping]) -> None:
        """Call the functions once per child, and tell who watches; a child that raises takes the long way."""
        below = self.board.setup.frame
        stages = [(mapping, TaskFrame(below, self.board, mapping.number, 0)) for mapping in chain]
        for mapping in chain:
            mapping.left += 1  # none ends before the loops have
        with inside(below):
            if len(chain) == 1:
                self._call_straight(*stages[0], range(chain[0].width))
            else:
                for child in range(chain[0].width):
                    for mapping, frame in stages:
                        if child < mapping.width and mapping.is_clean_above(child):
                            self._call_straight(mapping, frame, range(child, child + 1))
                    self._maps.let_go(chain, child)
        for mapping in chain:
            mapping.left -= 1
            mapping.take(mapping.width)
            if not mapping.left:
                self._end_mapped(mapping)
            elif mapping.above:
                mapping.wait()
                self._maps.queue(mapping)

    def _call_straight(self, mapping: Mapping, frame: TaskFrame, children: range) -> None:
        plan, number = self.board.plan, mapping.number
        function, keys, values = plan.functions[number], plan.keys[number], mapping.values
        only = mapping.arguments[0] if keys is None and mapping.mapped == [True] else None
        task, tells, run, running = plan.tasks[number], self._tells, None, states.Running(_STARTING)
        enter(frame)
        mapping.end_plainly(children)
        for child in children:
            frame.map_index = child
            if tells:
                run = TaskRun(self.board.setup.run, *self.board.identify(number), child)
                for tell in tells:
                    tell(run, states.Pending(), running)
            try:
                value = function(only[child]) if only is not None else called(function, keys, mapping.inputs(child))
                values[child] = value
                if isinstance(value, Task):
                    raise task_returned(task.name, value)  # noqa: TRY301 - as in the sweep
            except BaseException as error:  # noqa: BLE001 - the user's body: whatever it raises becomes its state
                mapping.reopen(child)
                self._settle(number, child, 1, state_of(error))
                continue
            if run is not None:
                success = states.Success(SUCCEEDED, value)
                for tell in tells:
                    tell(run, running, success)

    def _calls(self, mapping: Mapping, children: Sequence[int]) -> Sequence[Call]:
        """Return the calls of children, but of those that are skipped, whose trigger refuses, or that ended before."""
        board, number, extra = self.board, mapping.number, self.board.added(mapping.number)
        with suppress(Exception):  # a user's own sequence may lack an item: then each child is looked at alone
            if extra is None and (batch := mapping.batch(children)) is not None:
                return batch
        calls: list[Call] = []
        for child in children:
            if not mapping.pending[child]:
                continue
            why = None if mapping.is_clean_above(child) else refused(board, number, child, mapping.origins)
            if why is None:
                calls += self._call(number, child, 1, extra)
            else:
                self._settle(number, child, 0, why)
        return calls

    def _feed_mapped(self) -> None:
        """Submit children of mapped tasks in batches, as long as there is room."""
        while len(self._flights) < WINDOW:
            mapping = self._maps.deepest(self._flights.has_room)
            if mapping is None or self._learns(self._flights.pace(mapping.number)):
                return
            self._submit(mapping.number, self._calls(mapping, mapping.take(self._batch_size(mapping))))

    def _learns(self, pace: Pace) -> bool:
        """Return whether to wait for the first children before more are handed over, as these may be tiny."""
        several = len(self._flights) > (2 * TINY if self._threads else 1)
        return several and (pace.measured < TINY if self._threads else self.board.setup.remote and pace.waits())

    def _batch_size(self, mapping: Mapping) -> int:
        """Return how many children travel together to a pool: one until their time was measured, or if each counts."""
        task, limited = self.board.plan.tasks[mapping.number], self._flights.limited(mapping.number)
        if self._flights.pool is None or limited or task.options.timeout is not None or task.signature.is_async:
            return 1
        fair, pace = max(1, mapping.waiting() // 16), self._flights.pace(mapping.number)
        if self.board.setup.remote:
            return min(max(fair, pace.fitting(TRIP_SECONDS)), pace.fitting(BATCH_SECONDS))
        return min(fair, pace.fitting(_THREAD_SECONDS)) if pace.measured >= TINY else 1

    def _end_mapped(self, mapping: Mapping) -> None:
        del self.board.maps[mapping.number]
        state = committed(self.board, mapping.number, None, 1, states.Pending(), mapping.state())
        clean = not mapping.children.odd and isinstance(state, states.Mapped)
        self._finish(mapping.number, state, CLEAN if clean else ODD)

    # after a task

    def _settle_all(self, number: int, calls: Sequence[Call], ended: Ended) -> None:
        """Take up how calls ended; plain successes of children that nobody has a say in, at once."""
        mapping, handlers = self.board.maps.get(number), self.board.plan.tasks[number].options.state_handlers
        if mapping is not None and not (ended.states or handlers or self.board.setup.watched):
            children = calls.children if isinstance(calls, Batch) else [one[1] for one in calls if one[1] is not None]
            mapping.end_all(children, ended.values)
            self._children_ended(mapping, children)
            return
        for position, (_, child, attempt, extra) in enumerate(calls):
            state = ended.states.get(position) or states.Success(SUCCEEDED, ended.values[position])
            self._settle(number, child, attempt, state, extra)

    def _settle(self, number: int, child: int | None, attempt: int, state: states.State, extra: Extra = None) -> None:
        """Take up how an attempt ended, once all have had their say.

        Attempt 0 stands for none: the task was refused, or its result was there, before its first.
        """
        self._conclude(number, child, attempt, self._agreed(number, child, attempt, state), extra)

    def _conclude(self, number: int, child: int | None, attempt: int, state: states.State, extra: Extra = None) -> None:
        """Hold what is to be tried again, in the same round of its loop, or to go into the next; end the rest."""
        if isinstance(state, states.Looped):
            looped = {"task_loop_count": state.loop_count + 1, "task_loop_result": state.result}
            self._hold(number, child, 1, state, {**(extra or {}), **looped})
        elif isinstance(state, states.Paused):
            self._hold(number, child, max(attempt, 1), state, {**(extra or {}), "resume": True})
        elif state.is_scheduled():
            self._hold(number, child, attempt + isinstance(state, states.Retrying), state, extra)
        elif child is not None:
            self._end_child(number, child, state)
        else:
            self._finish(number, state, CLEAN if is_plain(state) else ODD)

    def _agreed(self, number: int, child: int | None, attempt: int, state: states.State) -> states.State:
        """Return the state that an attempt ends in; a failure with retries left is committed as Retrying only."""
        old: states.State = states.Running() if attempt else states.Pending()
        options = self.board.plan.tasks[number].options
        state = handled(self.board, number, child, attempt, old, retries.timed(options, attempt, state))
        again = retries.retrying(options, attempt, state) if isinstance(state, states.Failed) else None
        if again is not None:
            state = handled(self.board, number, child, attempt, state, again)
        return committed(self.board, number, child, attempt, old, state)

    def _hold(self, number: int, child: int | None, attempt: int, state: states.State, extra: Extra = None) -> None:
        """Let an attempt wait for the time that its state names, or for approval; the next round of a loop need not."""
        due = state.start_time if isinstance(state, states.Scheduled | states.Queued) else None
        if due is None and isinstance(state, states.Paused):
            self._paused.append((number, child, attempt, extra))
        else:
            heapq.heappush(self._held, (due or clock.now(), next(self._tie), number, child, attempt, extra))
        self._odd = True
        self.board.ended[number] = HELD
        if child is None:
            self.board.states[number] = state
        else:
            self.board.maps[number].children.odd[child] = state

    def _end_child(self, number: int, child: int, state: states.State) -> None:
        mapping = self.board.maps[number]
        mapping.end(child, state)
        self._children_ended(mapping, (child,))

    def _children_ended(self, mapping: Mapping, children: Iterable[int]) -> None:
        for child in children if mapping.followers or mapping.above else ():
            self._maps.release(mapping, child)
        if not mapping.left:
            self._end_mapped(mapping)

    def _finish(self, number: int, state: states.State, how: int) -> None:
        """Take up the terminal state of a task and make ready what waited for it."""
        board = self.board
        board.values[number] = state.result
        board.ended[number] = how
        self._odd = self._odd or how == ODD
        if type(state) is states.Success and how == CLEAN:
            board.states.pop(number, None)
        else:
            board.states[number] = state
        self._release(number)

    def _release(self, number: int) -> None:
        """Make ready what waited for nothing but a task, and for others that have ended."""
        board = self.board
        for other in self._downstream.get(number, ()):
            self._counts[other] -= 1
            if not self._counts[other] and board.ended[other] == WAITING:
                self._ready.append(other)
        for other in board.plan.upstream(number) if self._uses else ():
            self._uses[other] -= 1
            if not self._uses[other]:
                board.let_go(other)
