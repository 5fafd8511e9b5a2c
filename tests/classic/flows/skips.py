"""What is skipped when something upstream was."""

from classic import Flow, scenario, signals, task, triggers
from steps import add, end, fail, gather, inc, numbers, one, say, skip, skip_zero, total, with_zero


@scenario
def a_skip_passes_down_a_chain():
    with Flow("chain") as flow:
        inc(inc(skip()))
    return flow


@scenario
def a_skip_stops_where_it_is_not_passed_on():
    with Flow("chain") as flow:
        gather(inc(skip()), task_args={"skip_on_upstream_skip": False})
    return flow


@scenario
def a_skip_has_a_result():
    @task
    def skipped_with_result():
        raise signals.SKIP("not needed", result=5)

    with Flow("results") as flow:
        inc(skipped_with_result(), task_args={"skip_on_upstream_skip": False})
    return flow


@scenario
def a_skip_without_a_result():
    @task
    def skipped():
        raise signals.SKIP("not needed")

    with Flow("results") as flow:
        gather(skipped(), task_args={"skip_on_upstream_skip": False})
    return flow


@scenario
def one_of_several_inputs_is_skipped():
    with Flow("inputs") as flow:
        add(one(), skip())
        add(one(), skip(), task_args={"name": "without y", "skip_on_upstream_skip": False})
    return flow


@scenario
def an_upstream_task_without_a_value_is_skipped():
    with Flow("order") as flow:
        end(upstream_tasks=[skip()])
        end(upstream_tasks=[skip(), fail()], task_args={"name": "and one failed"})
        end(upstream_tasks=[skip(), fail()], task_args={"name": "however", "trigger": triggers.all_finished})
    return flow


@scenario
def a_skip_comes_before_the_trigger():
    with Flow("order") as flow:
        end(upstream_tasks=[skip(), fail()], task_args={"trigger": triggers.all_failed})
        end(upstream_tasks=[skip(), one()], task_args={"name": "any", "trigger": triggers.any_successful})
    return flow


@scenario
def children_are_skipped_one_by_one():
    with Flow("children") as flow:
        gather(inc.map(skip_zero.map(with_zero())))
    return flow


@scenario
def a_reduction_over_skipped_children():
    with Flow("children") as flow:
        kept = skip_zero.map(with_zero())
        gather(kept)
        gather(kept, task_args={"name": "all the same", "skip_on_upstream_skip": False})
    return flow


@scenario
def a_map_over_a_skipped_task():
    with Flow("children") as flow:
        mapped = inc.map(skip())
        gather(mapped)
        say.map(skip(), task_args={"name": "not passed on", "skip_on_upstream_skip": False})
    return flow


@scenario
def a_map_beside_a_skipped_task():
    with Flow("children") as flow:
        total(inc.map(numbers(), upstream_tasks=[skip()]))
    return flow


@scenario
def every_terminal_task_skipped_is_a_success():
    with Flow("all skipped") as flow:
        skip()
        skip()
    return flow
