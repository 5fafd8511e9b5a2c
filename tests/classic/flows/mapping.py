"""Mapped tasks: their width, their children's states, and what comes after."""

from classic import Flow, Parameter, context, mapped, run, scenario, signals, task, triggers, unmapped
from steps import (
    add,
    all_zero,
    end,
    fail,
    gather,
    inc,
    nothing,
    numbers,
    one,
    say,
    skip,
    skip_zero,
    total,
    twelfth,
    with_zero,
)  # fmt: skip


@scenario
def over_a_result():
    with Flow("map") as flow:
        total(inc.map(numbers()))
    return flow


@scenario
def over_a_constant():
    with Flow("map") as flow:
        total(inc.map([1, 2, 3]))
    return flow


@scenario
def over_two_lengths():
    with Flow("map") as flow:
        gather(add.map(numbers(), [10, 20]))
        gather(add.map([1], numbers()), task_args={"name": "other way"})
    return flow


@scenario
def over_nothing():
    with Flow("map") as flow:
        empty = inc.map(say([]))
        total(empty)
        gather(inc.map(empty))
        add.map(numbers(), say([]), task_args={"name": "one empty"})
    return flow


@scenario
def over_an_empty_constant():
    with Flow("map") as flow:
        gather(inc.map([]))
    return flow


@scenario
def with_an_unmapped_input():
    with Flow("map") as flow:
        gather(add.map(numbers(), unmapped(one())))
        gather(add.map(numbers(), y=unmapped(100)), task_args={"name": "constant"})
        gather(add.map(numbers()), task_args={"name": "default"})
    return flow


@scenario
def marked_in_a_plain_call():
    with Flow("map") as flow:
        gather(add(mapped(numbers()), one()))
    return flow


@scenario
def of_maps():
    with Flow("deep") as flow:
        gather(inc.map(inc.map(inc.map(numbers()))))
    return flow


@scenario
def of_children_and_a_list():
    with Flow("both") as flow:
        gather(add.map(inc.map(numbers()), [1, 2]))
    return flow


@scenario
def of_two_maps():
    with Flow("both") as flow:
        first = inc.map(numbers())
        gather(add.map(first, inc.map(first)))
    return flow


@scenario
def over_a_failed_task():
    with Flow("upstream") as flow:
        gather(inc.map(fail()))
        inc.map(fail(), task_args={"name": "however", "trigger": triggers.all_finished})
    return flow


@scenario
def over_a_failed_and_a_good_task():
    with Flow("upstream") as flow:
        add.map(numbers(), fail())
        add.map(numbers(), fail(), task_args={"name": "however", "trigger": triggers.all_finished})
    return flow


@scenario
def over_an_unindexable_result():
    with Flow("upstream") as flow:
        gather(inc.map(one()))
        inc.map(nothing(), task_args={"name": "over none"})
        add.map(numbers(), one(), task_args={"name": "beside a list"})
    return flow


@scenario
def over_other_collections():
    with Flow("collections") as flow:
        gather(say.map(say((1, 2))))
        gather(say.map(say("abc")), task_args={"name": "text"})
        gather(say.map(say(range(3))), task_args={"name": "range"})
        say.map(say({1, 2}), task_args={"name": "set"})
        say.map(say(iter([1, 2])), task_args={"name": "iterator"})
    return flow


@scenario
def over_a_dictionary():
    with Flow("collections") as flow:
        say.map(say({0: "a", 1: "b"}), task_args={"name": "counted"})
        say.map(say({"a": 1}), task_args={"name": "named"})
    return flow


@scenario
def one_child_fails():
    with Flow("children") as flow:
        shares = twelfth.map(with_zero())
        inc.map(shares)
        gather(shares)
    return flow


@scenario
def one_child_fails_and_what_follows_does_not_mind():
    with Flow("children") as flow:
        shares = twelfth.map(with_zero())
        say.map(shares, task_args={"trigger": triggers.all_finished})
        gather(shares, task_args={"trigger": triggers.all_finished})
        end(upstream_tasks=[shares], task_args={"trigger": triggers.any_successful})
    return flow


@scenario
def every_child_fails():
    with Flow("children") as flow:
        shares = twelfth.map(all_zero())
        inc.map(shares)
        gather(shares, task_args={"trigger": triggers.all_failed})
    return flow


@scenario
def a_failing_child_fails_the_flow():
    with Flow("children") as flow:
        twelfth.map(with_zero())
    return flow


@scenario
def after_an_upstream_task():
    with Flow("order") as flow:
        gather(inc.map(numbers(), upstream_tasks=[one()]))
    return flow


@scenario
def after_a_failed_upstream_task():
    with Flow("order") as flow:
        gather(inc.map(numbers(), upstream_tasks=[unmapped(fail())]))
        however = {"name": "however", "trigger": triggers.all_finished}
        inc.map(numbers(), upstream_tasks=[unmapped(fail())], task_args=however)
    return flow


@scenario
def after_a_mapped_upstream_task():
    with Flow("order") as flow:
        first = twelfth.map(with_zero())
        inc.map(numbers(), upstream_tasks=[first])
        inc.map([1, 2], upstream_tasks=[unmapped(first)], task_args={"name": "after all"})
    return flow


@scenario
def only_after_a_mapped_upstream_task():
    with Flow("order") as flow:
        end.map(upstream_tasks=[inc.map(numbers())])
    return flow


@scenario
def after_an_upstream_list():
    with Flow("order") as flow:
        end.map(upstream_tasks=[numbers()])
    return flow


@scenario
def over_a_parameter():
    with Flow("parameters") as flow:
        total(inc.map(Parameter("items", default=[1, 2])))
    run(flow)
    run(flow, parameters={"items": [5]})
    run(flow, items=[])
    run(flow, items=3)


@scenario
def children_know_their_index():
    @task
    def index(x):
        return [context.get("map_index"), context.get("task_full_name"), context.get("task_name"), x]

    with Flow("context") as flow:
        gather(index.map(["a", "b"]))
        gather(index("alone"), task_args={"name": "one"})
    return flow


@scenario
def children_end_in_signals():
    @task
    def choose(x):
        if x == 0:
            raise signals.SKIP("zero", result="skipped")
        if x == 1:
            raise signals.FAIL("one", result="failed")
        if x == 2:
            raise signals.SUCCESS("two", result="successful")
        return x

    with Flow("children") as flow:
        chosen = choose.map([0, 1, 2, 3])
        say.map(chosen)
        gather(chosen, task_args={"trigger": triggers.all_finished, "skip_on_upstream_skip": False})
    return flow


@scenario
def skips_in_two_mapped_inputs():
    with Flow("children") as flow:
        left, right = skip_zero.map([0, 1, 2]), skip_zero.map([1, 0, 2])
        add.map(left, right)
        add.map(left, right, task_args={"name": "all the same", "skip_on_upstream_skip": False})
    return flow


@scenario
def failures_and_skips_in_mapped_inputs():
    with Flow("children") as flow:
        left, right = twelfth.map([0, 1, 2]), skip_zero.map([1, 0, 2])
        add.map(left, right)
        add.map(right, left, task_args={"name": "reversed", "trigger": triggers.any_successful})
    return flow


@scenario
def over_children_of_a_skipped_map():
    with Flow("children") as flow:
        skipped = inc.map(skip())
        inc.map(skipped)
        add.map(numbers(), skipped)
        gather(skipped, task_args={"skip_on_upstream_skip": False})
    return flow


@scenario
def over_the_children_of_a_failed_map():
    with Flow("children") as flow:
        failed = inc.map(one())
        inc.map(failed)
        gather(failed, task_args={"trigger": triggers.all_finished})
    return flow


@scenario
def a_child_returns_a_list():
    @task
    def upto(n):
        return list(range(n))

    with Flow("lists") as flow:
        lists = upto.map(numbers())
        gather(lists)
        total.map(lists)
    return flow


@scenario
def an_item_of_a_map():
    with Flow("items") as flow:
        children = inc.map(numbers())
        say(children[1])
        say(children[5], task_args={"name": "beyond"})
    return flow
