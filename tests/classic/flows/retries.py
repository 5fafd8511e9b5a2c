"""What is tried again, how often, and with which context."""

import time
from datetime import timedelta

from classic import Flow, context, note, run, scenario, signals, state, task, triggers, unmapped
from steps import RefusalError, add, end, fail, gather, inc, numbers, one, say

AT_ONCE = {"max_retries": 2, "retry_delay": timedelta(0)}


def third_time(error):
    """Return a task that raises *error* until its third attempt."""

    @task(**AT_ONCE)
    def attempt():
        count = context.get("task_run_count")
        note(count)
        if count < 3:
            raise error
        return count

    return attempt


@scenario
def until_it_succeeds():
    with Flow("retries") as flow:
        inc(third_time(RefusalError("no"))())
    return flow


@scenario
def until_there_are_none_left():
    @task(**AT_ONCE)
    def never():
        note(context.get("task_run_count"))
        raise RefusalError("no")

    with Flow("retries") as flow:
        inc(never())
    return flow


@scenario
def of_a_fail_signal():
    with Flow("retries") as flow:
        third_time(signals.FAIL("again"))()
    return flow


@scenario
def of_a_validation_failure():
    with Flow("retries") as flow:
        third_time(signals.VALIDATIONFAIL("again"))()
    return flow


@scenario
def of_an_endrun():
    with Flow("retries") as flow:
        third_time(signals.ENDRUN(state.Failed("for good")))()
    return flow


@scenario
def of_a_trigger_failure():
    with Flow("retries") as flow:
        end(upstream_tasks=[fail()], task_args=AT_ONCE)
    return flow


@scenario
def of_a_trigger_that_raises():
    seen = []

    def broken(states):
        seen.append(1)
        note(len(seen))
        raise KeyError("broken")

    with Flow("retries") as flow:
        end(upstream_tasks=[one()], task_args={**AT_ONCE, "trigger": broken})
    return flow


@scenario
def by_a_retry_signal():
    @task
    def again():
        count = context.get("task_run_count")
        note(count)
        if count < 3:
            raise signals.RETRY("again")
        return count

    with Flow("retries") as flow:
        inc(again())
    return flow


@scenario
def by_a_retry_signal_beyond_the_limit():
    @task(max_retries=1, retry_delay=timedelta(0))
    def again():
        count = context.get("task_run_count")
        if count < 4:
            raise signals.RETRY("again")
        return count

    with Flow("retries") as flow:
        inc(again())
    return flow


@scenario
def of_some_exceptions_only():
    @task(retry_on=ValueError, **AT_ONCE)
    def listed():
        note(["listed", context.get("task_run_count")])
        raise UnicodeError("a ValueError")

    @task(retry_on=[KeyError, OSError], **AT_ONCE)
    def not_listed():
        note(["not listed", context.get("task_run_count")])
        raise ValueError("neither")

    with Flow("retries") as flow:
        not_listed(upstream_tasks=[listed(task_args={"name": "first"})], task_args={"trigger": triggers.all_finished})
    return flow


@scenario
def of_some_exceptions_and_a_signal():
    @task(retry_on=ValueError, **AT_ONCE)
    def signalled():
        note(context.get("task_run_count"))
        raise signals.FAIL("no")

    with Flow("retries") as flow:
        signalled()
    return flow


@scenario
def of_children():
    @task(**AT_ONCE)
    def second_time(x):
        if context.get("task_run_count") < x:
            raise RefusalError("no")
        return [x, context.get("task_run_count")]

    with Flow("retries") as flow:
        tried = second_time.map([1, 2, 3, 4])
        say.map(tried)
        gather(tried, task_args={"trigger": triggers.all_finished})
    return flow


@scenario
def downstream_of_a_retry():
    with Flow("retries") as flow:
        tried = third_time(RefusalError("no"))()
        gather(add.map(numbers(), unmapped(tried)))
        add(one(), tried)
    return flow


@scenario
def of_two_tasks_in_a_row():
    with Flow("retries") as flow:
        first = third_time(RefusalError("no"))
        second = third_time(RefusalError("no"))
        second(upstream_tasks=[first()])
    return flow


@scenario
def of_a_timeout():
    @task(timeout=1, **AT_ONCE)
    def slow_at_first():
        count = context.get("task_run_count")
        note(count)
        time.sleep(30 if count == 1 else 0)
        return count

    with Flow("retries") as flow:
        inc(slow_at_first())
    return flow


@scenario
def of_children_one_after_another():
    @task(**AT_ONCE)
    def second_time(x):
        if context.get("task_run_count") < 2:
            raise RefusalError("no")
        return x

    with Flow("retries") as flow:
        gather(inc.map(second_time.map(inc.map(numbers()))))
    return flow


@scenario
def in_every_run_anew():
    with Flow("retries") as flow:
        third_time(RefusalError("no"))()
    run(flow)
    run(flow)


@scenario
def of_a_skip_and_a_success():
    @task(**AT_ONCE)
    def skipping():
        note("skipping")
        raise signals.SKIP("not needed", result=None)

    @task(**AT_ONCE)
    def succeeding():
        note("succeeding")
        raise signals.SUCCESS("enough", result=3)

    with Flow("retries") as flow:
        succeeding(upstream_tasks=[skipping()], task_args={"skip_on_upstream_skip": False})
    return flow


@scenario
def seen_by_handlers():
    def told(subject, old, new):
        note([type(old).__name__, type(new).__name__, getattr(new, "run_count", None)])

    @task(state_handlers=[told], **AT_ONCE)
    def attempt():
        if context.get("task_run_count") < 3:
            raise RefusalError("no")

    with Flow("retries") as flow:
        attempt()
    return flow
