"""Tasks that have a second to end in."""

import time

from classic import Flow, scenario, signals, task, triggers
from steps import end, gather, inc


@task(timeout=1)
def waits(seconds):
    time.sleep(seconds)
    return "done"


@scenario
def one_in_time_and_one_too_late():
    with Flow("timeouts") as flow:
        gather(waits(0))
        gather(waits(30), task_args={"name": "refused"})
        end(upstream_tasks=[waits(30)], task_args={"trigger": triggers.all_failed})
    return flow


@scenario
def signals_and_failures_in_time():
    @task(timeout=5)
    def fails():
        raise ValueError("no")

    @task(timeout=5)
    def skips():
        raise signals.SKIP("not needed", result=None)

    @task(timeout=5)
    def signalled():
        raise signals.FAIL("no", result=3)

    with Flow("timeouts") as flow:
        fails()
        inc(skips())
        signalled()
    return flow


@scenario
def children():
    with Flow("timeouts") as flow:
        gather(waits.map([0, 30]))
    return flow
