"""Parameters: given, missing, unknown, and what may be done with them."""

from classic import Flow, Parameter, context, note, refused, run, scenario, task
from steps import add, gather, inc, say


@scenario
def defaults_and_values():
    with Flow("parameters") as flow:
        add(Parameter("x"), Parameter("y", default=5))
    run(flow, x=1)
    run(flow, parameters={"x": 1, "y": 2})
    run(flow, parameters={"x": 1}, y=3)
    run(flow, parameters={"x": 1}, x=4)


@scenario
def a_missing_one():
    with Flow("parameters") as flow:
        inc(Parameter("x"))
    return flow


@scenario
def an_unknown_one():
    with Flow("parameters") as flow:
        inc(Parameter("x"))
    run(flow, parameters={"x": 1, "z": 2})


@scenario
def required_with_a_default():
    with Flow("parameters") as flow:
        say(Parameter("x", default=1, required=True))
    refused(lambda: flow.run())
    run(flow, x=2)


@scenario
def not_required_without_a_default():
    with Flow("parameters") as flow:
        say(Parameter("x", required=False))
        say(Parameter("y", default=None))
    return flow


@scenario
def one_used_twice():
    with Flow("parameters") as flow:
        x = Parameter("x", default=3)
        add(x, x)
        add(inc(x), x)
    return flow


@scenario
def two_of_one_name():
    with Flow("parameters"):
        Parameter("x")()
        refused(lambda: Parameter("x")())


@scenario
def one_that_nothing_uses():
    with Flow("parameters") as flow:
        Parameter("x", default=1)
        say(2)
    return flow


@scenario
def one_that_is_called():
    with Flow("parameters") as flow:
        x = Parameter("x", default=1)()
        inc(x)
    return flow


@scenario
def inside_collections():
    with Flow("parameters") as flow:
        x, y = Parameter("x", default=1), Parameter("y", default=2)
        gather([x, {"y": y}, (x, y)])
    run(flow)
    run(flow, y=None)


@scenario
def as_an_upstream_task():
    with Flow("parameters") as flow:
        say(1, upstream_tasks=[Parameter("x", default=2)])
    return flow


@scenario
def downstream_of_something():
    with Flow("parameters") as flow:
        x = Parameter("x", default=1)
        refused(lambda: flow.add_edge(say(1), x))


@scenario
def seen_in_the_context():
    @task
    def look():
        note(context.get("parameters"))

    with Flow("parameters") as flow:
        look(upstream_tasks=[Parameter("x", default=1), Parameter("y")])
    run(flow, y=2)


@scenario
def a_copy_under_another_name():
    with Flow("parameters") as flow:
        x = Parameter("x", default=1)
        add(x, x.copy("other"))
        refused(lambda: x.copy())
    run(flow, x=1, other=5)


@scenario
def an_item_of_one():
    with Flow("parameters") as flow:
        x = Parameter("x", default={"a": [1, 2]})
        say(x["a"])
    run(flow)
    run(flow, x={"b": 1})
