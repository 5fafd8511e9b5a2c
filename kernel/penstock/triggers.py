"""Rules over how a task's upstream tasks ended: a trigger lets the task run, or raises a signal.

A trigger is called with the upstream states by edge. A mapped upstream counts child by child, unless the
edge itself is mapped, which has already given each child its own; a task that is waited for along two edges counts
once. A skipped task counts as a success. Where nothing is upstream every trigger lets the task run, `not_all_skipped`
apart, which finds nothing that was not skipped.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from penstock import signals
from penstock.context import context
from penstock.states import State

if TYPE_CHECKING:
    from penstock.edges import Edge

Trigger: TypeAlias = Callable[[Mapping["Edge", State]], bool]


def _ended(upstream_states: Mapping["Edge", State]) -> list[State]:
    """Return the states that count, with mapped ones replaced by their children's."""
    counted: list[State] = []
    once = {(id(state), edge.mapped): (edge, state) for edge, state in upstream_states.items()}
    for edge, state in once.values():
        counted.extend(getattr(state, "map_states", ()) if state.is_mapped() and not edge.mapped else (state,))
    return counted


def _all(name: str, done: str, holds: Callable[[State], bool], upstream_states: Mapping["Edge", State]) -> bool:
    counted = _ended(upstream_states)
    left = sum(not holds(state) for state in counted)
    if left:
        message = f"{name} lets a task run once all upstream tasks have {done}; {left} of {len(counted)} have not."
        raise signals.TRIGGERFAIL(message)
    return True


def _any(name: str, done: str, holds: Callable[[State], bool], upstream_states: Mapping["Edge", State]) -> bool:
    counted = _ended(upstream_states)
    if upstream_states and not any(holds(state) for state in counted):
        message = f"{name} lets a task run once an upstream task has {done}; none of {len(counted)} has."
        raise signals.TRIGGERFAIL(message)
    return True


def all_successful(upstream_states: Mapping["Edge", State]) -> bool:
    """Run if every upstream task succeeded; the default."""
    return _all("all_successful", "succeeded", State.is_successful, upstream_states)


def all_failed(upstream_states: Mapping["Edge", State]) -> bool:
    """Run if every upstream task failed."""
    return _all("all_failed", "failed", State.is_failed, upstream_states)


def any_successful(upstream_states: Mapping["Edge", State]) -> bool:
    """Run if at least one upstream task succeeded, or if there is none."""
    return _any("any_successful", "succeeded", State.is_successful, upstream_states)


def any_failed(upstream_states: Mapping["Edge", State]) -> bool:
    """Run if at least one upstream task failed, or if there is none."""
    return _any("any_failed", "failed", State.is_failed, upstream_states)


def all_finished(upstream_states: Mapping["Edge", State]) -> bool:
    """Run however the upstream tasks ended."""
    return _all("all_finished", "ended", State.is_finished, upstream_states)


always_run: Final = all_finished


def manual_only(upstream_states: Mapping["Edge", State]) -> bool:  # noqa: ARG001 - every trigger has this signature
    """Pause until somebody resumes the task."""
    if context.get("resume"):
        return True
    raise signals.PAUSE("manual_only lets a task run once somebody resumes it.")


def not_all_skipped(upstream_states: Mapping["Edge", State]) -> bool:
    """Run if every upstream task succeeded and at least one was not skipped."""
    if all(state.is_skipped() for state in _ended(upstream_states)):
        raise signals.SKIP("Each task above was skipped.")
    return _all("not_all_skipped", "succeeded", State.is_successful, upstream_states)


def some_failed(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Run if the number of failed upstream tasks is within bounds; below 1 a bound is a fraction of all."""
    return _Counting("some_failed", State.is_failed, at_least, at_most)


def some_successful(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Run if the number of successful upstream tasks is within bounds; below 1 a bound is a fraction of all."""
    return _Counting("some_successful", State.is_successful, at_least, at_most)


class _Counting:
    """A trigger that counts; a class so that it can be pickled and names itself."""

    def __init__(self, name: str, rule: Callable[[State], bool], at_least: float | None, at_most: float | None) -> None:
        self.__name__ = name
        self._counts = rule
        self._at_least = at_least
        self._at_most = at_most

    def __call__(self, upstream_states: Mapping["Edge", State]) -> bool:
        if not upstream_states:
            return True
        counted = _ended(upstream_states)
        number = sum(1 for state in counted if self._counts(state))
        low, high = (_bound(bound, len(counted)) for bound in (self._at_least, self._at_most))
        if (low is None or number >= low) and (high is None or number <= high):
            return True
        wanted = f"at least {low if low is not None else 0}, at most {high if high is not None else 'all'}"
        message = f"{self.__name__} lets a task run with {wanted}; it is {number} of {len(counted)} upstream tasks."
        raise signals.TRIGGERFAIL(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return globals()[self.__name__], (self._at_least, self._at_most)


def _bound(bound: float | None, total: int) -> float | None:
    return bound * total if bound is not None and 0 < bound < 1 else bound
