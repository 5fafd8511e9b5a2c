"""Inputs with one level of nesting taken out."""

from classic import Flow, Parameter, flatten, run, scenario, task, triggers, unmapped
from steps import add, fail, gather, inc, one, say, skip, total, twelfth, with_zero


@task
def nested():
    return [[1], [2, 3], []]


@task
def upto(n):
    return list(range(n))


@scenario
def a_nested_result():
    with Flow("flat") as flow:
        total(flatten(nested()))
        gather(inc.map(flatten(nested())))
    return flow


@scenario
def a_nested_constant():
    with Flow("flat") as flow:
        total(flatten([[1, 2], [3]]))
        gather(inc.map(flatten([[1, 2], [3]])))
    return flow


@scenario
def mapped_children():
    with Flow("flat") as flow:
        lists = upto.map([1, 2, 3])
        total(flatten(lists))
        gather(inc.map(flatten(lists)))
    return flow


@scenario
def maps_of_flattened_maps():
    with Flow("flat") as flow:
        second = upto.map(flatten(upto.map([2, 3])))
        gather(add.map(flatten(second), unmapped(one())))
    return flow


@scenario
def beside_a_list():
    with Flow("flat") as flow:
        gather(add.map(flatten(nested()), [10, 20]))
    return flow


@scenario
def what_is_not_nested():
    with Flow("flat") as flow:
        gather(inc.map(flatten(say([1, 2]))))
        total(flatten(say([1, 2])))
    return flow


@scenario
def what_is_no_collection():
    with Flow("flat") as flow:
        gather(flatten(one()))
        inc.map(flatten(one()))
    return flow


@scenario
def a_parameter():
    with Flow("flat") as flow:
        gather(inc.map(flatten(Parameter("items", default=[[1], [2]]))))
    run(flow)
    run(flow, items=[[5, 6]])
    run(flow, items=[])


@scenario
def a_failed_task():
    with Flow("flat") as flow:
        gather(inc.map(flatten(fail())))
        gather(flatten(fail()), task_args={"name": "whole"})
    return flow


@scenario
def a_skipped_task():
    with Flow("flat") as flow:
        gather(inc.map(flatten(skip())))
        gather(flatten(skip()), task_args={"name": "whole"})
    return flow


@scenario
def children_one_of_which_failed():
    @task
    def shares(x):
        return [12 // x, x]

    with Flow("flat") as flow:
        lists = shares.map(with_zero())
        gather(inc.map(flatten(lists)))
        gather(flatten(lists), task_args={"name": "whole", "trigger": triggers.any_successful})
    return flow


@scenario
def children_that_are_no_lists():
    with Flow("flat") as flow:
        gather(inc.map(flatten(twelfth.map([1, 2]))))
    return flow


@scenario
def other_collections():
    with Flow("flat") as flow:
        gather(flatten(say([(1, 2), (3,)])))
        gather(flatten(say(["ab", "c"])), task_args={"name": "texts"})
        gather(flatten(say({"a": [1], "b": [2]})), task_args={"name": "dictionary"})
    return flow


@scenario
def in_both_orders_of_marks():
    with Flow("flat") as flow:
        gather(add.map(unmapped(flatten(nested())), [1]))
        gather(total.map(flatten(unmapped(nested())), task_args={"name": "total2"}))
    return flow
