"""Tasks that choose their state, and tasks that go round in a loop."""

from datetime import timedelta

from classic import Flow, context, note, scenario, signals, state, task, triggers
from steps import RefusalError, end, fail, gather, inc, say


def choosing(signal):
    """Return a task that raises *signal*."""

    @task
    def choose():
        raise signal

    return choose


@scenario
def success_with_and_without_a_result():
    with Flow("signals") as flow:
        inc(choosing(signals.SUCCESS("enough", result=3))())
        gather(choosing(signals.SUCCESS("enough"))())
    return flow


@scenario
def failures_with_results():
    with Flow("signals") as flow:
        gather(choosing(signals.FAIL("no", result=3))(), task_args={"trigger": triggers.all_failed})
        choosing(signals.TRIGGERFAIL("no"))(task_args={"name": "trigger"})
        choosing(signals.VALIDATIONFAIL("no", result=[1]))(task_args={"name": "validation"})
    return flow


@scenario
def endrun_with_any_state():
    with Flow("signals") as flow:
        inc(choosing(signals.ENDRUN(state.Success("done", result=4)))(task_args={"name": "success"}))
        choosing(signals.ENDRUN(state.Failed("over", result=5)))(task_args={"name": "failed"})
        choosing(signals.ENDRUN(state.Skipped("left out", result=6)))(task_args={"name": "skipped"})
        choosing(signals.ENDRUN(state.Cancelled("stopped")))(task_args={"name": "cancelled"})
    return flow


@scenario
def a_signal_without_a_message():
    with Flow("signals") as flow:
        choosing(signals.FAIL())(task_args={"name": "fail"})
        choosing(signals.SKIP(result=None))(task_args={"name": "skip"})
        choosing(signals.SUCCESS())(task_args={"name": "success"})
    return flow


@scenario
def a_signal_with_a_context():
    with Flow("signals") as flow:
        choosing(signals.FAIL("no", context={"why": "because"}))()
    return flow


@scenario
def an_exception_handler_meets_a_signal():
    @task
    def guarded():
        try:
            raise signals.SKIP("through", result=None)
        except Exception:
            return "caught"

    with Flow("signals") as flow:
        guarded()
    return flow


@scenario
def exceptions_beyond_exception():
    @task
    def leaves():
        raise SystemExit(3)

    with Flow("signals") as flow:
        inc(leaves())
    return flow


@scenario
def a_task_returns_an_exception():
    @task
    def returns():
        return ValueError("a value like any other")

    with Flow("values") as flow:
        gather(returns())
    return flow


@scenario
def a_task_returns_a_state():
    @task
    def returns():
        return state.Failed("a value like any other")

    with Flow("values") as flow:
        gather(returns())
    return flow


@scenario
def a_task_returns_odd_values():
    @task
    def generator():
        return (number for number in range(3))

    @task
    def none():
        return None

    @task
    def nan_free():
        return {"a": [1, (2, 3)], "b": {4}}

    @task
    def function():
        return len

    with Flow("values") as flow:
        gather([generator(), none()])
        gather(generator(), task_args={"name": "generated"})
        say(none())
        say(nan_free())
        function()
    return flow


@task
def up_to(limit):
    count, before = context.get("task_loop_count", 1), context.get("task_loop_result", 0)
    note([count, before])
    if count < limit:
        raise signals.LOOP(f"round {count}", result=before + count)
    return before


@scenario
def a_loop_with_results():
    with Flow("loops") as flow:
        inc(up_to(3))
    return flow


@scenario
def a_loop_that_ends_at_once():
    with Flow("loops") as flow:
        inc(up_to(1))
    return flow


@scenario
def a_loop_without_results():
    @task
    def rounds():
        count = context.get("task_loop_count", 1)
        note([count, type(context.get("task_loop_result")).__name__])
        if count < 3:
            raise signals.LOOP("on")
        return count

    with Flow("loops") as flow:
        rounds()
    return flow


@scenario
def a_loop_that_ends_in_a_signal():
    @task
    def rounds(kind):
        if context.get("task_loop_count", 1) < 2:
            raise signals.LOOP(result=1)
        raise getattr(signals, kind)("after a round", result=2)

    with Flow("loops") as flow:
        for kind in ("SKIP", "FAIL", "SUCCESS"):
            rounds(kind, task_args={"name": kind})
    return flow


@scenario
def a_loop_that_fails():
    @task
    def rounds():
        if context.get("task_loop_count", 1) < 3:
            raise signals.LOOP(result=1)
        raise RefusalError("no")

    with Flow("loops") as flow:
        inc(rounds())
    return flow


@scenario
def a_loop_and_retries():
    @task(max_retries=2, retry_delay=timedelta(0))
    def rounds():
        count, before = context.get("task_loop_count", 1), context.get("task_loop_result", 0)
        attempt = context.get("task_run_count")
        note([count, before, attempt])
        if count == 2 and attempt == 1:
            raise RefusalError("no")
        if count < 4:
            raise signals.LOOP(result=before + count)
        return before

    with Flow("loops") as flow:
        rounds()
    return flow


@scenario
def a_loop_that_fails_in_two_rounds():
    @task(max_retries=2, retry_delay=timedelta(0))
    def rounds():
        count, attempt = context.get("task_loop_count", 1), context.get("task_run_count")
        note([count, attempt])
        if count == 1 and attempt == 1:
            raise RefusalError("first")
        if count == 3 and attempt == 2:
            raise RefusalError("third")
        if count < 4:
            raise signals.LOOP(result=count)
        return count

    with Flow("loops") as flow:
        rounds()
    return flow


@scenario
def loops_in_children():
    @task
    def rounds(limit):
        count, before = context.get("task_loop_count", 1), context.get("task_loop_result", 0)
        if count < limit:
            raise signals.LOOP(f"round {count}", result=before + count)
        return before

    with Flow("loops") as flow:
        gather(rounds.map([1, 2, 3]))
    return flow


@scenario
def loops_seen_by_handlers():
    def told(subject, old, new):
        note([type(old).__name__, type(new).__name__, getattr(new, "loop_count", None), new.message is not None])

    @task(state_handlers=[told])
    def rounds():
        count = context.get("task_loop_count", 1)
        if count < 3:
            raise signals.LOOP(result=count)

    with Flow("loops") as flow:
        rounds()
    return flow


@scenario
def a_flow_goes_on_after_a_loop_and_a_failure():
    with Flow("loops") as flow:
        end(upstream_tasks=[up_to(2), fail()], task_args={"trigger": triggers.any_successful})
    return flow
