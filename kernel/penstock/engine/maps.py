"""The mapped tasks that are under way, deepest first: a child starts as soon as what it needs has ended.

A mapped task that maps over another begins together with it, if everything else it waits for has ended, and its
children follow one by one. So a chain of maps holds few intermediate values at a time, and no call is handed over
before there is room for it.
"""

from collections import deque
from typing import TYPE_CHECKING

from penstock.engine.admission import begin_mapping
from penstock.engine.board import CLEAN, HELD, ODD, WAITING, Board
from penstock.engine.failures import state_of
from penstock.engine.mapping import Mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.states import State


class Maps:
    """What is under way on a board, and which mappings have children that may start."""

    def __init__(self, board: Board) -> None:
        """Begin with none."""
        self._board = board
        self._waiting: deque[Mapping] = deque()

    def begin(self, number: int) -> "Mapping | State":
        """Begin a mapped task; return the state of one that cannot be mapped."""
        board = self._board
        try:
            begun = begin_mapping(board, number)
        except Exception as error:  # noqa: BLE001 - a user's own sequence
            return state_of(error)
        if isinstance(begun, Mapping):
            board.ended[number] = HELD
            board.maps[number] = begun
            board.values[number] = begun.values
        return begun

    def follow(self, root: Mapping) -> list[Mapping]:
        """Begin those that can follow *root*, and so on; return them all, each after those it follows."""
        chain = [root]
        if root.width and self._board.setup.propose is None:
            for mapping in chain:  # grows while it is walked
                chain.extend(self._followers(mapping.number))
        return chain

    def queue(self, mapping: Mapping) -> None:
        """Let the children of a mapping that follows no other start, after those of mappings queued before."""
        self._waiting.appendleft(mapping)

    def release(self, mapping: Mapping, child: int) -> None:
        """Let the followers of *mapping* start their *child*."""
        for follower in mapping.followers:
            if follower.release(child):
                self._waiting.append(follower)
        self.let_go(mapping.above, child)

    def let_go(self, chain: list[Mapping], child: int) -> None:
        """Drop the values of a child in *chain* that only followers take, once these have ended, if nothing is kept."""
        for mapping in chain if not self._board.setup.keeps_values else ():
            if mapping.followers and self._board.plan.uses[mapping.number] == len(mapping.followers):
                mapping.let_go(child)

    def deepest(self, has_room: "Callable[[int], bool]" = lambda _number: True) -> Mapping | None:
        """Return the mapping that has children to start, and room, of several the one released last; None if none."""
        while self._waiting and not self._waiting[-1].waiting():
            self._waiting.pop()
        return next((one for one in reversed(self._waiting) if one.waiting() and has_room(one.number)), None)

    def _followers(self, number: int) -> list[Mapping]:
        found = []
        for other in self._board.plan.mapped_over.get(number, ()):
            above = self._above(other)
            begun = self.begin(other) if above else None
            if isinstance(begun, Mapping):
                begun.follow(above)
                found.append(begun)
        return found

    def _above(self, number: int) -> list[Mapping]:
        """Return the mappings under way that a task waits for, none if it waits for anything else or has begun."""
        board, plan = self._board, self._board.plan
        if board.ended[number] != WAITING or number in board.states or plan.tasks[number].options.state_handlers:
            return []
        left = [other for other in sorted(plan.upstream(number)) if board.ended[other] not in {CLEAN, ODD}]
        follows = all(other in board.maps and number in plan.mapped_over.get(other, ()) for other in left)
        return [board.maps[other] for other in left] if follows else []
