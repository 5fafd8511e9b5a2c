"""Collections that hold tasks, operators between tasks, and tasks with several values."""

from typing import Tuple  # noqa: UP035 - as it was written then

from classic import FilterTask, Flow, GetAttr, Parameter, note, refused, run, scenario, task, triggers
from steps import add, end, fail, gather, inc, nothing, numbers, one, say, skip, twelfth, with_zero


@scenario
def lists_tuples_and_sets():
    with Flow("collections") as flow:
        gather([one(), 2, inc(2)])
        gather((one(), 2), task_args={"name": "tuple"})
        gather({one(), 5}, task_args={"name": "set"})
        gather([], task_args={"name": "empty"})
    return flow


@scenario
def dictionaries():
    with Flow("collections") as flow:
        gather({"a": one(), "b": 2, 3: inc(1)})
    return flow


@scenario
def nested_collections():
    with Flow("collections") as flow:
        gather([[one()], [[inc(1)], 3]])
    return flow


@scenario
def collections_of_constants():
    with Flow("collections") as flow:
        gather([1, (2, {"a": 3})])
        gather({"a": [1]}, task_args={"name": "dictionary"})
    return flow


@scenario
def a_collection_with_a_failed_and_a_skipped_task():
    with Flow("collections") as flow:
        gather([one(), fail()])
        gather([one(), skip()], task_args={"name": "skipped"})
        gather([one(), skip()], task_args={"name": "all the same", "skip_on_upstream_skip": False})
    return flow


@scenario
def a_map_over_a_collection_of_tasks():
    with Flow("collections") as flow:
        gather(inc.map([one(), 5, inc(6)]))
    return flow


@scenario
def a_collection_with_mapped_tasks():
    with Flow("collections") as flow:
        gather([inc.map(numbers()), 5])
    return flow


@scenario
def arithmetic():
    with Flow("operators") as flow:
        x, y = say(7), say(2)
        for result in (x + y, x - y, x * y, x / y, x // y, x % y, x**y):
            say(result)
        for result in (x + 1, 1 + x, 10 - x, 3 * x, 14 / x, 15 // x, 15 % x, 2**y):
            say(result)
    return flow


@scenario
def comparisons():
    with Flow("operators") as flow:
        x, y = say(7), say(2)
        for result in (x > y, x >= 7, x < y, x <= 7, x.is_equal(7), x.is_not_equal(y), x.is_equal(y)):
            say(result)
    return flow


@scenario
def logic():
    with Flow("operators") as flow:
        yes, no = say(True), say(False)
        for result in (yes & no, yes & True, no.or_(yes), no.or_(False), yes.not_(), no.not_()):
            say(result)
    return flow


@scenario
def items():
    with Flow("operators") as flow:
        table = say({"a": [10, 20], "b": 1})
        say(table["a"][1])
        say(table[say("b")])
        say(table["missing"])
        say(numbers()[0:2])
    return flow


@scenario
def attributes():
    with Flow("operators") as flow:
        get = GetAttr()
        get(say(3 + 4j), "real")
        get(say(3), "missing")
        GetAttr(default="none")(say(3), "missing", task_args={"name": "with default"})
    return flow


@scenario
def operators_on_failures():
    with Flow("operators") as flow:
        say(fail() + 1)
        say(one() + "text")
        say(skip() + 1)
    return flow


@scenario
def several_values():
    @task(nout=2)
    def pair():
        return 1, 2

    @task
    def annotated() -> Tuple[int, int]:  # noqa: UP006 - as it was written then
        return 3, 4

    with Flow("values") as flow:
        a, b = pair()
        c, d = annotated()
        gather([a, b, c, d])
    return flow


@scenario
def several_values_that_do_not_come():
    @task(nout=2)
    def pair():
        return (1,)

    @task(nout=2)
    def broken():
        raise ValueError("no")

    with Flow("values") as flow:
        a, b = pair()
        add(a, b)
        c, d = broken()
        add(c, d)
    return flow


@scenario
def one_value_is_not_several():
    with Flow("values"):
        refused(lambda: list(one()))


@scenario
def equality_is_identity():
    with Flow("operators"):
        x, y = one(), one()
        note([x == y, x == x, x != y])  # noqa: PLR0124 - that is the question


@scenario
def a_filter():
    with Flow("filters") as flow:
        shares = twelfth.map(with_zero())
        gather(FilterTask()(shares))
        FilterTask(filter_func=lambda x: x != 2)(numbers(), task_args={"name": "not two"})
        FilterTask()([one(), nothing(), 0], task_args={"name": "values"})
    return flow


@scenario
def a_filter_over_children_that_all_failed():
    with Flow("filters") as flow:
        inc.map(FilterTask()(twelfth.map([0, 0])))
    return flow


@scenario
def a_parameter_in_an_operator():
    with Flow("operators") as flow:
        x = Parameter("x", default=4)
        say((x + 1) * x)
        end(upstream_tasks=[x > 3], task_args={"trigger": triggers.all_finished})
    run(flow)
    run(flow, x=-1)
