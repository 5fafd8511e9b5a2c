"""Every trigger over every mix of upstream states."""

import time
from datetime import timedelta

from classic import Flow, note, scenario, signals, state, task, triggers
from steps import add, all_zero, end, fail, fail_by_signal, gather, inc, one, say, skip, skip_zero, twelfth, with_zero

RULES = {
    "all_successful": triggers.all_successful,
    "all_failed": triggers.all_failed,
    "all_finished": triggers.all_finished,
    "always_run": triggers.always_run,
    "any_successful": triggers.any_successful,
    "any_failed": triggers.any_failed,
    "not_all_skipped": triggers.not_all_skipped,
    "some_failed": triggers.some_failed(at_least=1),
    "few_failed": triggers.some_failed(at_most=1),
    "half_failed": triggers.some_failed(at_least=0.5),
    "one_successful": triggers.some_successful(at_least=1, at_most=1),
    "half_successful": triggers.some_successful(at_least=0.5),
    "under_half_successful": triggers.some_successful(at_most=0.4),
}


def every_rule(make_upstream, **options):
    """Return a flow with a task for each trigger downstream of the tasks that *make_upstream* makes."""
    with Flow("rules") as flow:
        upstream = make_upstream()
        for name, trigger in RULES.items():
            end(task_args={"name": name, "trigger": trigger, **options}, upstream_tasks=upstream)
    return flow


@scenario
def over_two_successes():
    return every_rule(lambda: [one(), one()])


@scenario
def over_a_success_and_a_failure():
    return every_rule(lambda: [one(), fail()])


@scenario
def over_two_failures():
    return every_rule(lambda: [fail(), fail_by_signal()])


@scenario
def over_a_success_and_a_skip():
    return every_rule(lambda: [one(), skip()])


@scenario
def over_a_success_and_a_skip_that_is_not_passed_on():
    return every_rule(lambda: [one(), skip()], skip_on_upstream_skip=False)


@scenario
def over_two_skips_that_are_not_passed_on():
    return every_rule(lambda: [skip(), skip()], skip_on_upstream_skip=False)


@scenario
def over_a_failure_and_a_skip():
    return every_rule(lambda: [fail(), skip()])


@scenario
def over_a_failure_and_a_skip_that_is_not_passed_on():
    return every_rule(lambda: [fail(), skip()], skip_on_upstream_skip=False)


@scenario
def without_upstream_tasks():
    return every_rule(list)


@scenario
def over_a_trigger_failure():
    return every_rule(lambda: [inc(fail())])


@scenario
def over_children_some_of_which_failed():
    return every_rule(lambda: [twelfth.map(with_zero())])


@scenario
def over_children_all_of_which_failed():
    return every_rule(lambda: [twelfth.map(all_zero())])


@scenario
def over_children_some_of_which_were_skipped():
    return every_rule(lambda: [skip_zero.map(with_zero())])


@scenario
def over_children_some_of_which_were_skipped_without_passing_it_on():
    return every_rule(lambda: [skip_zero.map(with_zero())], skip_on_upstream_skip=False)


@scenario
def over_no_children_at_all():
    return every_rule(lambda: [inc.map(say([]))])


@scenario
def over_children_and_a_failure():
    return every_rule(lambda: [inc.map(with_zero()), fail()])


@scenario
def within_each_child_of_a_map():
    with Flow("children") as flow:
        upstream = twelfth.map(with_zero())
        for name, trigger in RULES.items():
            say.map(upstream, task_args={"name": name, "trigger": trigger})
    return flow


@scenario
def within_each_child_of_a_map_over_skips():
    with Flow("children") as flow:
        upstream = skip_zero.map(with_zero())
        for name, trigger in RULES.items():
            say.map(upstream, task_args={"name": name, "trigger": trigger, "skip_on_upstream_skip": False})
    return flow


@scenario
def over_a_looped_and_a_retried_task():
    @task
    def thrice():
        from classic import context

        count = context.get("task_loop_count", 1)
        if count < 3:
            raise signals.LOOP(result=count)
        return count

    return every_rule(lambda: [thrice(), one()])


@scenario
def over_a_cached_and_a_timed_out_task():
    @task(cache_for=timedelta(hours=1), name="cached upstream")
    def cached():
        return 1

    @task(timeout=1, name="too late")
    def too_late():
        time.sleep(30)

    return every_rule(lambda: [cached(), too_late()])


@scenario
def over_a_validation_failure_and_a_cancelled_task():
    @task
    def refused():
        raise signals.VALIDATIONFAIL("not valid", result=1)

    @task
    def cancelled():
        raise signals.ENDRUN(state.Cancelled("stopped"))

    return every_rule(lambda: [refused(), cancelled()])


@scenario
def over_one_task_along_two_edges():
    with Flow("twice") as flow:
        broken = fail()
        for name, trigger in RULES.items():
            add(broken, broken, task_args={"name": name, "trigger": trigger}, upstream_tasks=[one()])
    return flow


@scenario
def one_that_says_false():
    with Flow("own rules") as flow:
        end(task_args={"trigger": lambda states: False}, upstream_tasks=[one()])
    return flow


@scenario
def one_that_raises():
    def broken(states):
        raise KeyError("broken")

    with Flow("own rules") as flow:
        end(task_args={"trigger": broken}, upstream_tasks=[one()])
    return flow


@scenario
def ones_that_raise_signals():
    def raising(signal):
        def rule(states):
            raise signal("chosen by the trigger", result=3)

        return rule

    with Flow("own rules") as flow:
        upstream = [one()]
        for name in ("FAIL", "SKIP", "SUCCESS", "VALIDATIONFAIL", "TRIGGERFAIL"):
            trigger = raising(getattr(signals, name))
            then = end(task_args={"name": name, "trigger": trigger}, upstream_tasks=upstream)
            say(then, task_args={"name": f"after {name}"})
    return flow


@scenario
def what_a_trigger_is_given():
    def look(states):
        found = [
            [edge.upstream_task.name, edge.downstream_task.name, edge.key, edge.mapped, type(state).__name__]
            for edge, state in states.items()
            if "Constant" not in type(edge.upstream_task).__name__
        ]
        note(sorted(found, key=str))
        return True

    with Flow("own rules") as flow:
        gather(one(), task_args={"trigger": look}, upstream_tasks=[skip_zero.map(with_zero()), fail()])
        say.map(with_zero(), task_args={"name": "mapped", "trigger": look}, upstream_tasks=[one()])
    return flow


@scenario
def a_failed_input_arrives_as_its_exception():
    with Flow("inputs") as flow:
        gather(fail(), task_args={"trigger": triggers.all_finished})
        gather(fail_by_signal(), task_args={"name": "signalled", "trigger": triggers.all_finished})
        gather(inc(fail()), task_args={"name": "refused", "trigger": triggers.all_finished})
        gather(twelfth.map(with_zero()), task_args={"name": "children", "trigger": triggers.all_finished})
    return flow
