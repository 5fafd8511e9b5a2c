"""Flows that are put together of others, changed and copied."""

from classic import Edge, Flow, Parameter, Task, note, refused, run, scenario, triggers
from steps import add, end, fail, gather, inc, numbers, one, say


def edges_of(flow):
    """Note the edges by the names of their ends; what the inputs of a list are called is its own affair."""
    ends = (
        [
            edge.upstream_task.name,
            edge.downstream_task.name,
            edge.mapped,
            edge.downstream_task.name == "List" or edge.key,
        ]
        for edge in flow.edges
    )
    note(sorted((end for end in ends if not str(end[0]).startswith("Constant")), key=str))


@scenario
def updated_with_another():
    with Flow("first") as first:
        one()
    with Flow("second") as second:
        inc(say(5))
    first.update(second)
    edges_of(first)
    return first


@scenario
def updated_with_shared_parameters():
    with Flow("first") as first:
        inc(Parameter("x", default=1))
    with Flow("second") as second:
        say(Parameter("x", default=2))
    first.update(second, merge_parameters=True)
    run(first)
    run(first, x=10)


@scenario
def updated_with_parameters_of_one_name():
    with Flow("first") as first:
        inc(Parameter("x", default=1))
    with Flow("second") as second:
        say(Parameter("x", default=2))
    refused(lambda: first.update(second))


@scenario
def updated_with_reference_tasks():
    with Flow("first") as first:
        good = one()
    first.set_reference_tasks([good])
    with Flow("second") as second:
        end(upstream_tasks=[fail()], task_args={"trigger": triggers.all_finished})
    first.update(second)
    run(first)
    first.update(second, merge_reference_tasks=True)
    run(first)


@scenario
def a_task_is_replaced():
    with Flow("replaced") as flow:
        first = one()
        inc(first)
    other = say.copy(name="other")
    flow.replace(first, 5)
    edges_of(flow)
    refused(lambda: flow.replace(other, first))
    run(flow)


@scenario
def a_task_is_replaced_by_another():
    with Flow("replaced") as flow:
        first = one()
        gather(inc.map([first, 5]))
        inc(first)
    with Flow("elsewhere"):
        pass
    flow.replace(first, numbers)
    edges_of(flow)


@scenario
def a_reference_task_is_replaced():
    with Flow("replaced") as flow:
        broken = fail()
        end()
    flow.set_reference_tasks([broken])
    flow.replace(broken, one)
    note(sorted(task.name for task in flow.reference_tasks()))
    return flow


@scenario
def a_copy_goes_its_own_way():
    with Flow("original") as flow:
        first = one()
        inc(first)
    copied = flow.copy()
    with copied:
        say(first)
    note([len(flow.tasks), len(copied.tasks)])
    run(flow)
    run(copied)


@scenario
def looking_at_a_flow():
    with Flow("looked at") as flow:
        x = Parameter("x", default=1)
        a = inc(x)
        b = inc(x)
        add(a, b)
    note(sorted(task.name for task in flow.root_tasks()))
    note(sorted(task.name for task in flow.terminal_tasks()))
    note(sorted(task.name for task in flow.parameters()))
    note([task.name for task in flow.sorted_tasks()])
    note(sorted(task.name for task in flow.upstream_tasks(a)))
    note(len(flow.downstream_tasks(x)))
    note(sorted(flow.slugs.values()))
    note(len(flow.get_tasks(name="inc")))
    refused(lambda: flow.upstream_tasks(Task(name="stranger")))


@scenario
def sorted_from_some_tasks_on():
    with Flow("sorted") as flow:
        a = one()
        b = inc(a)
        inc(b, task_args={"name": "last"})
        end()
    note([task.name for task in flow.sorted_tasks(root_tasks=[b])])


@scenario
def made_of_tasks_and_edges():
    first, second = one.copy(name="first"), end.copy(name="second")
    flow = Flow("made", tasks=[first, second], edges=[Edge(first, second)], reference_tasks=[second])
    edges_of(flow)
    note(sorted(task.name for task in flow.reference_tasks()))
    return flow


@scenario
def two_equal_flows():
    with Flow("equal") as flow:
        first = one()
    with Flow("equal") as other:
        other.add_task(first)
    note([flow == other, flow == Flow("equal")])
