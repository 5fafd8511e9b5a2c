"""When a task that failed, or asked for it, is tried again."""

from penstock import clock
from penstock.engine.failures import unreadable
from penstock.states import Retrying, State
from penstock.tasks import TaskOptions


def retrying(options: TaskOptions, attempt: int, failed: State) -> State | None:
    """Return the state to retry in after attempt number *attempt*, or None if this failure is final."""
    if not attempt or attempt > options.max_retries or (failed.context or {}).get("final"):
        return None
    if options.retry_on and failed.result is not None and not isinstance(failed.result, options.retry_on):
        return None
    message = f"Retrying Task (after attempt {attempt} of {options.max_retries + 1})"
    return _delayed(options, Retrying(message, failed.result, run_count=attempt, context=failed.context))


def timed(options: TaskOptions, attempt: int, state: State) -> State:
    """Give a Retrying state that a signal made what only the engine knows: the attempt, and when."""
    if not isinstance(state, Retrying):
        return state
    state.run_count = attempt
    at_once = state.start_time is not None and state.start_time <= clock.now()
    return _delayed(options, state) if at_once and options.retry_delay is not None else state


def _delayed(options: TaskOptions, state: Retrying) -> State:
    """Let a retry wait for the task's delay; one that cannot be told fails the task."""
    try:
        state.start_time = clock.now() + options.delay(state.run_count)
    except Exception as error:  # noqa: BLE001 - a user's function, or a delay beyond what dates can say
        return unreadable(f"The retry_delay after attempt {state.run_count}", error)
    return state
