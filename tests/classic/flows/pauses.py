"""Tasks that wait for somebody's approval."""

from datetime import UTC

from classic import Flow, context, note, pause_task, run, scenario, signals, state, task, triggers
from steps import end, inc, one


@task
def asks():
    if not context.get("resume"):
        raise signals.PAUSE("approve me")
    return "approved"


@scenario
def resumed_from_the_start():
    with Flow("pauses") as flow:
        first = end(upstream_tasks=[one()], task_args={"trigger": triggers.manual_only})
        inc(one(upstream_tasks=[first]))
    run(flow, task_states={first: state.Resume("approved before")})


@scenario
def a_signal_resumed_from_the_start():
    with Flow("pauses") as flow:
        first = asks()
        end(upstream_tasks=[first])
    run(flow, task_states={first: state.Resume("approved before")})


@scenario
def a_pause_in_the_middle_resumed_from_the_start():
    @task
    def pauses():
        note("before")
        pause_task("wait")
        note("after")
        return 1

    with Flow("pauses") as flow:
        first = pauses()
        inc(first)
    run(flow, task_states={first: state.Resume("approved before")})


@scenario
def a_pause_that_ends_by_itself():
    @task
    def pauses():
        if context.get("resume"):
            return "resumed"
        from datetime import datetime, timedelta

        raise signals.PAUSE("for a moment", start_time=datetime.now(UTC) - timedelta(seconds=1))

    with Flow("pauses") as flow:
        first = pauses()
        end(upstream_tasks=[first])
    run(flow, task_states={first: state.Resume("approved before")})


@scenario
def what_the_terminal_is_asked():
    with Flow("pauses") as flow:
        end(upstream_tasks=[asks()])
    return flow


@scenario
def a_trigger_that_only_people_pass():
    with Flow("pauses") as flow:
        inc(one(upstream_tasks=[one()], task_args={"name": "by hand", "trigger": triggers.manual_only}))
    return flow
