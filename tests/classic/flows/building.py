"""Flows put together by hand: edges, bindings, copies and task arguments."""

from classic import Flow, Parameter, Task, context, note, refused, run, scenario, tags, task, unmapped
from steps import add, end, fail, gather, inc, numbers, one, say


class Difference(Task):
    """A task written as a class."""

    def __init__(self, base=0, **kwargs):
        self.base = base
        super().__init__(**kwargs)

    def run(self, x, y=1):
        return self.base + x - y


class Plain(Task):
    """A task without inputs."""

    def run(self):
        return "plain"


@scenario
def a_task_as_a_class():
    with Flow("classes") as flow:
        difference = Difference(base=100, name="difference")
        difference(5)
        difference(x=inc(1), y=2)
        gather(Plain()())
    return flow


@scenario
def with_set_dependencies():
    flow = Flow("by hand")
    first, second, third = Plain(name="first"), Difference(name="second"), Plain(name="third")
    flow.set_dependencies(second, upstream_tasks=[first], downstream_tasks=[third], keyword_tasks={"x": 5, "y": 2})
    return flow


@scenario
def with_mapped_dependencies():
    flow = Flow("by hand")
    flow.set_dependencies(say, keyword_tasks={"value": [1, 2]}, mapped=True)
    flow.set_dependencies(gather, keyword_tasks={"values": say})
    return flow


@scenario
def with_edges():
    flow = Flow("by hand")
    first, second = Plain(name="first"), Difference(name="second")
    flow.add_edge(first, second)
    flow.add_edge(one, second, key="x")
    flow.add_edge(numbers, say, key="value", mapped=True)
    return flow


@scenario
def with_a_chain():
    flow = Flow("by hand")
    first, second, third = Plain(name="first"), Plain(name="second"), Plain(name="third")
    flow.chain(first, second, third)
    note(sorted(edge.upstream_task.name + " " + edge.downstream_task.name for edge in flow.edges))
    return flow


@scenario
def with_bind():
    flow = Flow("by hand")
    difference = Difference(name="difference")
    difference.bind(3, y=2, upstream_tasks=[Plain(name="before")], flow=flow)
    return flow


@scenario
def with_set_upstream_and_downstream():
    flow = Flow("by hand")
    first, second, third = Plain(name="first"), Difference(name="second"), Plain(name="third")
    second.set_upstream(first, flow=flow)
    second.set_upstream(one, flow=flow, key="x")
    second.set_downstream(third, flow=flow)
    return flow


@scenario
def in_a_circle():
    flow = Flow("by hand")
    first, second = Plain(name="first"), Plain(name="second")
    flow.add_edge(first, second)
    flow.add_edge(second, first)
    refused(flow.validate)
    return flow


@scenario
def upon_itself():
    flow = Flow("by hand")
    first = Plain(name="first")
    refused(lambda: flow.add_edge(first, first))


@scenario
def with_arguments_that_do_not_fit():
    with Flow("arguments"):
        refused(lambda: add())
        refused(lambda: add(1, 2, 3))
        refused(lambda: add(1, z=3))
        refused(lambda: add(1, x=3))
        refused(lambda: add.map(5))
    refused(lambda: add(1, 2))


@scenario
def options_that_do_not_fit():
    refused(lambda: Task(max_retries=2))
    refused(lambda: Task(retry_delay=3))
    refused(lambda: Task(tags="text"))
    refused(lambda: Task(state_handlers=print))
    refused(lambda: task(lambda *values: values))
    refused(lambda: task(lambda upstream_tasks: 1))
    refused(lambda: Flow(""))
    refused(lambda: Flow("handlers", state_handlers=print))


@scenario
def task_arguments_of_a_copy():
    with Flow("copies") as flow:
        say(1, task_args={"name": "renamed", "tags": {"b", "a"}})
        say(2, task_args={"slug": "own-slug"})
        refused(lambda: say(3, task_args={"no_such_option": 1}))
    return flow


@scenario
def slugs_count_by_name_and_tags():
    with Flow("copies") as flow:
        with tags("blue"):
            say(1)
            with tags("green"):
                say(2)
        say(3)
        say(4, task_args={"tags": {"blue"}})
    return flow


@scenario
def a_task_used_twice_is_two_tasks():
    with Flow("copies") as flow:
        add(one(), one())
    return flow


@scenario
def a_task_that_is_copied():
    with Flow("copies") as flow:
        copied = say.copy(name="copied")
        copied(1)
        say(2)
    return flow


@scenario
def tasks_that_are_added_and_not_called():
    flow = Flow("added")
    flow.add_task(Plain(name="lonely"))
    flow.add_task(Difference(name="without inputs"))
    return flow


@scenario
def a_call_with_another_flow():
    with Flow("one"):
        other = Flow("other")
        inc(1, flow=other)
    return other


@scenario
def a_mapped_call_and_an_unmapped_argument():
    with Flow("calls") as flow:
        gather(add([1, 2], unmapped(5), mapped=True))
    return flow


@scenario
def default_arguments():
    @task
    def defaults(x, y=2, *, z=3, **more):
        return [x, y, z, sorted(more.items())]

    with Flow("arguments") as flow:
        defaults(1)
        defaults(1, z=5)
        defaults(1, y=one(), w=one())
        defaults.map([1, 2], w=unmapped(one()))
    return flow


@scenario
def inside_a_running_task():
    @task
    def outer():
        with Flow("inner") as inner:
            result = inc(context.get("parameters")["x"])
        return inner.run().result[result].result

    with Flow("outer") as flow:
        say(outer(upstream_tasks=[Parameter("x", default=1)]))
    return flow


@scenario
def failing_to_run_inside_the_block():
    with Flow("block") as flow:
        one()
        refused(flow.run)


@scenario
def upstream_tasks_that_are_values():
    with Flow("values") as flow:
        end(upstream_tasks=[[one(), numbers()]])
        end(upstream_tasks=[fail(), 5], task_args={"name": "with a constant"})
    run(flow)
