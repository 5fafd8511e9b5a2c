"""When a task that failed, or asked for it, is tried again."""

from penstock import clock
from penstock.states import Retrying, State
from penstock.tasks import TaskOptions


def retrying(options: TaskOptions, attempt: int, failed: State) -> Retrying | None:
    """Return the state to retry in after attempt number *attempt*, or None if this failure is final."""
    if not attempt or attempt > options.max_retries or (failed.context or {}).get("final"):
        return None
    if options.retry_on and failed.result is not None and not isinstance(failed.result, options.retry_on):
        return None
    message = f"Retrying Task (after attempt {attempt} of {options.max_retries + 1})"
    start_time = clock.now() + options.delay(attempt)
    return Retrying(message, failed.result, run_count=attempt, start_time=start_time, context=failed.context)


def timed(options: TaskOptions, attempt: int, state: State) -> State:
    """Give a Retrying state that a signal made what only the engine knows: the attempt, and when."""
    if isinstance(state, Retrying):
        state.run_count = attempt
        if options.retry_delay is not None and state.start_time is not None and state.start_time <= clock.now():
            state.start_time = clock.now() + options.delay(attempt)
    return state
