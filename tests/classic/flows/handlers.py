"""State handlers of tasks and flows: what they see, and what they may put in its place."""

from datetime import timedelta

from classic import Flow, note, scenario, signals, state, task, triggers
from steps import RefusalError, end, fail, gather, inc, numbers, one, say, skip, skip_zero, twelfth, with_zero


def name_of(subject):
    return getattr(subject, "name", type(subject).__name__)


def told(subject, old, new):
    note([name_of(subject), type(old).__name__, type(new).__name__])


def told_of_flow(flow, old, new):
    note([flow.name, "Pending" if old.is_pending() else type(old).__name__, type(new).__name__])


@scenario
def a_tasks_handler_sees_every_state():
    with Flow("handlers") as flow:
        one(task_args={"state_handlers": [told]})
    return flow


@scenario
def a_failing_tasks_handler():
    with Flow("handlers") as flow:
        fail(task_args={"state_handlers": [told]})
    return flow


@scenario
def handlers_of_what_never_ran():
    with Flow("handlers") as flow:
        refused = inc(fail(), task_args={"state_handlers": [told]})
        end(upstream_tasks=[refused, skip()], task_args={"state_handlers": [told]})
    return flow


@scenario
def handlers_of_a_chosen_state():
    with Flow("handlers") as flow:
        skip(task_args={"state_handlers": [told]})
    return flow


@scenario
def a_success_is_replaced():
    def replace(subject, old, new):
        return state.Failed("replaced") if new.is_successful() else None

    with Flow("handlers") as flow:
        inc(one(task_args={"state_handlers": [replace]}))
    return flow


@scenario
def a_failure_is_replaced():
    def replace(subject, old, new):
        return state.Success("replaced", result=7) if new.is_failed() else None

    with Flow("handlers") as flow:
        inc(fail(task_args={"state_handlers": [replace]}))
    return flow


@scenario
def a_failure_is_replaced_by_a_skip():
    def replace(subject, old, new):
        return state.Skipped("replaced", result=7) if new.is_failed() else None

    with Flow("handlers") as flow:
        inc(fail(task_args={"state_handlers": [replace]}))
    return flow


@scenario
def running_is_replaced():
    def replace(subject, old, new):
        return state.Skipped("not now") if new.is_running() else None

    def succeed(subject, old, new):
        return state.Success("already done", result=3) if new.is_running() else None

    with Flow("handlers") as flow:
        one(task_args={"state_handlers": [replace]})
        inc(one(task_args={"name": "done", "state_handlers": [succeed]}))
    return flow


@scenario
def handlers_are_asked_in_turn():
    def first(subject, old, new):
        note(["first", type(new).__name__])
        return state.Failed("by the first") if new.is_successful() else None

    def second(subject, old, new):
        note(["second", type(new).__name__])
        return state.Success("by the second", result=2) if new.is_failed() else None

    with Flow("handlers") as flow:
        inc(one(task_args={"state_handlers": [first, second]}))
    return flow


@scenario
def a_handler_returns_what_it_was_given():
    def same(subject, old, new):
        return new

    with Flow("handlers") as flow:
        inc(one(task_args={"state_handlers": [same]}))
    return flow


@scenario
def a_handler_raises():
    def broken(subject, old, new):
        if new.is_successful():
            raise RefusalError("handler")

    def broken_at_once(subject, old, new):
        raise RefusalError("handler")

    with Flow("handlers") as flow:
        inc(one(task_args={"state_handlers": [broken]}))
        one(task_args={"name": "at once", "state_handlers": [broken_at_once]})
    return flow


@scenario
def a_handler_that_raises_keeps_the_others_out():
    def broken(subject, old, new):
        if new.is_successful():
            raise RefusalError("handler")

    with Flow("handlers") as flow:
        one(task_args={"state_handlers": [broken, told]})
    return flow


@scenario
def a_handler_raises_a_signal():
    def signal(kind):
        def handler(subject, old, new):
            if new.is_successful():
                raise getattr(signals, kind)("by the handler", result=2)

        return handler

    with Flow("handlers") as flow:
        for kind in ("FAIL", "SKIP", "SUCCESS", "TRIGGERFAIL"):
            say(one(task_args={"name": kind, "state_handlers": [signal(kind)]}), task_args={"name": f"after {kind}"})
    return flow


@scenario
def a_handler_raises_endrun():
    def handler(subject, old, new):
        if new.is_running():
            raise signals.ENDRUN(state.Success("over", result=8))

    with Flow("handlers") as flow:
        inc(one(task_args={"state_handlers": [handler]}))
    return flow


@scenario
def a_handler_and_retries():
    def replace(subject, old, new):
        note([type(old).__name__, type(new).__name__])
        return state.Success("good enough", result=1) if new.is_retrying() else None

    with Flow("handlers") as flow:
        fail(task_args={"state_handlers": [replace], "max_retries": 2, "retry_delay": timedelta(0)})
    return flow


@scenario
def a_handler_lets_a_success_be_retried():
    seen = []

    def replace(subject, old, new):
        note([type(old).__name__, type(new).__name__])
        if new.is_successful() and not seen:
            seen.append(1)
            return state.Failed("once more")
        return None

    with Flow("handlers") as flow:
        one(task_args={"state_handlers": [replace], "max_retries": 2, "retry_delay": timedelta(0)})
    return flow


@scenario
def handlers_of_a_mapped_task():
    with Flow("handlers") as flow:
        inc.map([1, 2], task_args={"state_handlers": [told]})
    return flow


@scenario
def a_handler_replaces_a_child():
    def replace(subject, old, new):
        return state.Success("mended", result=0) if new.is_failed() else None

    with Flow("handlers") as flow:
        gather(twelfth.map(with_zero(), task_args={"state_handlers": [replace]}))
    return flow


@scenario
def a_handler_replaces_the_mapped_state():
    def replace(subject, old, new):
        return state.Failed("no map") if new.is_mapped() else None

    with Flow("handlers") as flow:
        gather(inc.map(numbers(), task_args={"state_handlers": [replace]}))
    return flow


@scenario
def handlers_of_skipped_children():
    with Flow("handlers") as flow:
        say.map(skip_zero.map([0, 1]), task_args={"state_handlers": [told]})
    return flow


@scenario
def on_failure_of_a_task():
    def on_failure(subject, failed):
        note([name_of(subject), type(failed).__name__])

    with Flow("handlers") as flow:
        broken = task(lambda: 1 // 0, name="broken", on_failure=on_failure)()
        task(lambda x: x, name="refused", on_failure=on_failure)(broken)
        task(lambda: 1, name="good", on_failure=on_failure)()
    return flow


@scenario
def on_failure_of_a_task_that_is_retried():
    def on_failure(subject, failed):
        note([name_of(subject), type(failed).__name__])

    @task(on_failure=on_failure, max_retries=1, retry_delay=timedelta(0))
    def broken():
        raise RefusalError("no")

    with Flow("handlers") as flow:
        broken()
    return flow


@scenario
def a_flows_handlers_see_every_state():
    with Flow("handled", state_handlers=[told_of_flow]) as flow:
        one()
    return flow


@scenario
def what_a_flows_handler_is_told_first():
    with Flow("handled", state_handlers=[told]) as flow:
        one()
    return flow


@scenario
def a_flow_that_fails_and_its_handlers():
    def on_failure(subject, failed):
        note([name_of(subject), type(failed).__name__, "on failure"])

    with Flow("handled", state_handlers=[told_of_flow], on_failure=on_failure) as flow:
        fail()
    return flow


@scenario
def a_flows_end_is_replaced():
    def replace(subject, old, new):
        return state.Failed("replaced", result=new.result) if new.is_successful() else None

    with Flow("handled", state_handlers=[replace]) as flow:
        one()
    return flow


@scenario
def a_flows_end_is_replaced_without_the_tasks_states():
    def replace(subject, old, new):
        return state.Failed("replaced") if new.is_successful() else None

    with Flow("handled", state_handlers=[replace]) as flow:
        one()
    return flow


@scenario
def a_flows_handler_raises():
    def broken(subject, old, new):
        if new.is_successful():
            raise RefusalError("handler")

    with Flow("handled", state_handlers=[broken]) as flow:
        one()
    return flow


@scenario
def a_flows_handler_raises_a_signal():
    def broken(subject, old, new):
        if new.is_successful():
            raise signals.FAIL("by the handler")

    with Flow("handled", state_handlers=[broken]) as flow:
        one()
    return flow


@scenario
def a_terminal_state_handler_replaces_the_end():
    def decide(flow, final, reference_states):
        note([flow.name, type(final).__name__, sorted(type(one_of).__name__ for one_of in reference_states)])
        return state.Success("decided otherwise", result=final.result)

    with Flow("handled", terminal_state_handler=decide) as flow:
        fail()
        one()
    return flow


@scenario
def a_terminal_state_handler_keeps_the_end():
    def decide(flow, final, reference_states):
        final.message = "with another message"

    with Flow("handled", terminal_state_handler=decide) as flow:
        one()
    return flow


@scenario
def a_terminal_state_handler_sees_children():
    def decide(flow, final, reference_states):
        note(sorted(type(one_of).__name__ for one_of in reference_states))

    with Flow("handled", terminal_state_handler=decide) as flow:
        twelfth.map(with_zero())
    return flow


@scenario
def a_terminal_state_handler_raises():
    def decide(flow, final, reference_states):
        raise RefusalError("no decision")

    with Flow("handled", terminal_state_handler=decide, state_handlers=[told_of_flow]) as flow:
        one()
    return flow


@scenario
def handlers_and_triggers_together():
    def replace(subject, old, new):
        return state.Success("mended", result=0) if new.is_failed() else None

    with Flow("handlers") as flow:
        refused = inc(fail(), task_args={"state_handlers": [replace]})
        gather(refused)
        end(upstream_tasks=[refused], task_args={"trigger": triggers.any_failed})
    return flow
