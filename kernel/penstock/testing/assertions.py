"""Assertions about states and runs, which say what they found."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from penstock.testing.flows import Run

if TYPE_CHECKING:
    from penstock.states import State

StateOrRun: TypeAlias = "State | Run"


def assert_success(found: StateOrRun) -> None:
    """Assert that a state, or a run's, is a success and no Skipped one."""
    __tracebackhide__ = True
    state = _state(found)
    _check(found, state.is_successful() and not state.is_skipped(), "a success")


def assert_failed(found: StateOrRun, message: str = "") -> None:
    """Assert that a state, or a run's, is a failure of any kind whose message contains *message*."""
    __tracebackhide__ = True
    wanted = f"a failure whose message contains {message!r}" if message else "a failure"
    state = _state(found)
    _check(found, state.is_failed() and message in (state.message or ""), wanted)


def assert_skipped(found: StateOrRun) -> None:
    """Assert that a state, or a run's, is Skipped."""
    __tracebackhide__ = True
    _check(found, _state(found).is_skipped(), "Skipped")


def assert_states(run: Run, expected: Mapping[str, str]) -> None:
    """Assert how tasks and mapped children ended: `{"load": "Mapped", "load[2]": "Failed"}`.

    States are named by their classes, exactly; tasks that are not named may have ended as they like.
    """
    __tracebackhide__ = True
    found = {name: run.state_of(name) for name in expected}
    wrong = [
        f"  {name} should be {expected[name]} and is {state.type}: {state.message}"
        for name, state in found.items()
        if state.type != expected[name]
    ]
    if wrong:
        raise AssertionError("\n".join([f'In the run of "{run.flow.name}"', *wrong]))


def _state(found: StateOrRun) -> "State":
    return found.state if isinstance(found, Run) else found


def _check(found: StateOrRun, holds: bool, wanted: str) -> None:
    __tracebackhide__ = True
    if not holds:
        shown = repr(found) if isinstance(found, Run) else f"{found.type}: {found.message}"
        raise AssertionError(f"Expected {wanted}; found\n{shown}")
