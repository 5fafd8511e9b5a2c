"""Changing flows that are there, copying and comparing them, and asking about their edges."""

import pickle
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Flow, Parameter, Task, errors, task, unmapped
from penstock.edges import Edge


@task
def one() -> int:
    return 1


@task
def add(x: int, y: int = 1) -> int:
    return x + y


def snapshot(flow: Flow) -> tuple[Any, ...]:
    """Return all that is known of a flow's graph, in order."""
    return list(flow.slugs.items()), flow.edges, dict(flow.constants), flow.reference_tasks()


# update


def test_update_adds_tasks_edges_and_constants() -> None:
    with Flow("first") as first:
        here = one()
    with Flow("second") as second:
        there = add(one(), y=5)
        add.map([1, 2], unmapped(there))
    before = snapshot(second)
    first.update(second)
    assert first.tasks == {here, *second.tasks}
    assert (first.edges, dict(first.constants)) == (second.edges, dict(second.constants))
    assert first.run().result[there].result == 6
    assert snapshot(second) == before


def test_updating_twice_changes_nothing_more() -> None:
    with Flow("first") as first:
        one()
    with Flow("second") as second:
        add(one(), y=5)
    first.update(second)
    once = snapshot(first)
    first.update(second)
    assert snapshot(first) == once


def test_a_task_of_both_flows_has_the_inputs_of_both() -> None:
    shared, source = add.copy(), one.copy()
    first, second = Flow("first"), Flow("second")
    first.set_dependencies(shared, keyword_tasks={"x": source})
    second.set_dependencies(shared, keyword_tasks={"y": 7}, upstream_tasks=[first_step := one.copy()])
    first.update(second)
    assert first.edges == {Edge(source, shared, "x"), Edge(first_step, shared)}
    assert first.constants[shared] == {"y": 7}
    assert first.run().result[shared].result == 8


def two_with_a_parameter() -> tuple[Flow, Flow, Task, Task]:
    with Flow("first") as first:
        here = add(Parameter("n"))
    with Flow("second") as second:
        there = add(Parameter("n", default=3), y=Parameter("m", default=4))
    return first, second, here, there


def test_parameters_of_one_name_clash_and_nothing_is_changed() -> None:
    first, second, *_ = two_with_a_parameter()
    before = snapshot(first)
    with pytest.raises(errors.DuplicateKeyError, match='slug "n"'):
        first.update(second)
    assert snapshot(first) == before
    with pytest.raises(errors.ParameterError):
        first.run()


def test_parameters_of_one_name_are_merged_where_asked_for() -> None:
    first, second, here, there = two_with_a_parameter()
    first.update(second, merge_parameters=True)
    assert first.parameters() == second.parameters()
    state = first.run()
    assert (state.result[here].result, state.result[there].result) == (4, 7)


def test_reference_tasks_are_merged_where_asked_for() -> None:
    with Flow("second") as second:
        reference = one()
        add(reference)
    second.set_reference_tasks([reference])
    with Flow("first") as first:
        add(one())
    last = first.terminal_tasks()
    first.update(second)
    assert reference not in first.reference_tasks()
    first.update(second, merge_reference_tasks=True)
    assert first.reference_tasks() == {reference, *last, *second.terminal_tasks()}


def test_an_update_that_would_close_a_circle_is_refused_where_asked_for() -> None:
    a, b = one.copy(name="a"), one.copy(name="b")
    first, second = Flow("first"), Flow("second")
    first.chain(a, b)
    second.chain(b, a)
    with pytest.raises(errors.CycleError):
        first.update(second, validate=True)
    assert first.edges == {Edge(a, b)}
    first.update(second)
    assert first.edges == {Edge(a, b), Edge(b, a)}


# replace


def test_replace_takes_over_inputs_constants_edges_and_place() -> None:
    with Flow("replaced") as flow:
        first = one()
        middle = add(first, y=4)
        last = add(middle)
    new = add.copy(name="new")
    flow.replace(middle, new)
    assert list(flow.slugs.values()) == ["one-1", "new-1", "add-1"]
    assert flow.edges == {Edge(first, new, "x"), Edge(new, last, "x")}
    assert flow.constants[new] == {"y": 4}
    assert flow.run().result[last].result == 6


def test_replace_keeps_how_values_pass() -> None:
    with Flow("mapped") as flow:
        numbers = Parameter("numbers")
        mapped = add.map(numbers, unmapped(5))
    with Flow("other"):
        other = Parameter("numbers", default=[1, 2])
    flow.replace(numbers, other)
    assert flow.edges == {Edge(other, mapped, "x", mapped=True)}
    new = add.copy()
    flow.replace(mapped, new)
    assert flow.run().result[new].result == [6, 7]


def test_replace_changes_reference_tasks() -> None:
    with Flow("references") as flow:
        first = one()
        add(first)
    flow.set_reference_tasks([first])
    new = one.copy()
    flow.replace(first, new)
    assert flow.reference_tasks() == {new}


def test_a_task_can_be_replaced_by_a_value() -> None:
    with Flow("value") as flow:
        first = one()
        last = add(first, upstream_tasks=[first])
    flow.replace(first, 10)
    assert (flow.tasks, flow.edges, flow.constants[last]) == ({last}, set(), {"x": 10})
    assert flow.run().result[last].result == 11


def test_a_task_can_be_replaced_by_one_that_is_there() -> None:
    with Flow("merged") as flow:
        first, second = one(), one()
        last = add(first, second)
    flow.replace(first, second)
    assert flow.edges == {Edge(second, last, "x"), Edge(second, last, "y")}


def test_replacing_a_task_by_itself_changes_nothing() -> None:
    with Flow("same") as flow:
        first = one()
    before = snapshot(flow)
    flow.replace(first, first)
    assert snapshot(flow) == before


@pytest.mark.parametrize(
    ("new", "error", "match"),
    [
        (lambda flow: flow.get_tasks(name="last")[0], errors.CycleError, "depend on itself"),
        (lambda flow: one.copy(), TypeError, "no input 'x'"),
        (lambda flow: Parameter("n"), errors.FlowError, "takes no inputs"),
        (lambda flow: 5, TypeError, "mapped over 5"),
    ],
    ids=["downstream", "other inputs", "parameter", "value that is no list"],
)
def test_a_replacement_that_does_not_fit_is_refused_and_nothing_is_changed(new: Any, error: Any, match: str) -> None:
    with Flow("unchanged") as flow:
        middle = add(one(), y=4)
        last = add.map(middle, task_args={"name": "last"})
    flow.set_reference_tasks([middle])
    before = snapshot(flow)
    with pytest.raises(error, match=match):
        flow.replace(middle, new(flow))
    assert snapshot(flow) == before
    assert flow.sorted_tasks()[-1] is last


def test_only_a_task_of_the_flow_can_be_replaced() -> None:
    with pytest.raises(errors.UnknownTaskError, match="<Task: one> is not in flow"):
        Flow("empty").replace(one, one.copy())


def test_a_replacement_is_validated_unless_told_otherwise() -> None:
    flow = Flow("lacking", tasks=[first := one.copy()])
    with pytest.raises(TypeError, match="needs a value for x"):
        flow.replace(first, add.copy())
    flow.replace(first, last := add.copy(), validate=False)
    assert flow.tasks == {last}


# copy and equality


def test_a_copy_is_equal_and_goes_its_own_way() -> None:
    with Flow("original") as flow:
        first = add(Parameter("n", default=1))
    copy = flow.copy()
    assert copy == flow
    assert copy is not flow
    before = snapshot(flow)
    copy.add_task(one.copy())
    copy.set_reference_tasks([first])
    copy.state_handlers.append(lambda flow, old, new: None)
    assert snapshot(flow) == before
    assert flow.state_handlers == []
    assert copy != flow
    assert copy.run().result[first].result == 2


def test_flows_are_equal_if_name_tasks_edges_and_reference_tasks_are() -> None:
    def flow(name: str = "same", **parts: Any) -> Flow:
        return Flow(name, tasks=[first, last], **{"edges": [Edge(first, last, "x")], **parts})

    first, last = one.copy(), add.copy()
    assert flow() == flow()
    assert flow() == flow(reference_tasks=[last])
    assert flow() != flow("other")
    assert flow() != flow(edges=[Edge(first, last, "y")])
    assert flow() != flow(reference_tasks=[first])
    assert flow() != Flow("same", tasks=[one.copy(), add.copy()])
    assert flow() != "same"
    assert len({flow(), flow()}) == 2


def test_flows_with_a_circle_can_be_compared() -> None:
    a, b = one.copy(), one.copy()
    flows = [Flow("round", edges=[Edge(a, b), Edge(b, a)]) for _ in range(2)]
    assert flows[0] == flows[1]


# asking


def test_edges_are_known_from_both_ends() -> None:
    with Flow("ends") as flow:
        first = one()
        middle = add(first, first)
        last = add(middle, upstream_tasks=[first])
    above = {first: set(), middle: {Edge(first, middle, "x"), Edge(first, middle, "y")}}
    above[last] = {Edge(middle, last, "x"), Edge(first, last)}
    assert flow.all_upstream_edges() == above
    assert flow.all_downstream_edges() == {
        first: above[middle] | {Edge(first, last)},
        middle: {Edge(middle, last, "x")},
        last: set(),
    }
    assert flow.edges_from(first) == flow.all_downstream_edges()[first]


def test_what_is_returned_is_the_callers_own() -> None:
    with Flow("own") as flow:
        last = add(one(), y=2)
    for answer in (flow.edges, flow.edges_to(last), flow.all_upstream_edges()[last], flow.tasks, flow.parameters()):
        answer.clear()
    flow.all_downstream_edges().clear()
    assert len(flow.edges) == 1
    with pytest.raises(TypeError):
        flow.constants[last] = {}  # type: ignore[index]


def test_answers_follow_changes() -> None:
    flow = Flow("changing")
    first, last = one.copy(), add.copy()
    flow.add_task(first)
    assert (flow.edges_from(first), dict(flow.constants)) == (set(), {})
    flow.add_edge(first, last, "x")
    assert flow.edges_from(first) == {Edge(first, last, "x")}
    flow.set_dependencies(last, keyword_tasks={"y": 3})
    assert flow.constants == {last: {"y": 3}}
    assert flow.constants[first] == {}
    again = pickle.loads(cloudpickle.dumps(flow))
    assert len(again.edges) == 1


def test_sorting_may_begin_anywhere() -> None:
    with Flow("sorted") as flow:
        first, other = one(), one()
        middle = add(first)
        last = add(middle, other)
    assert flow.sorted_tasks(root_tasks=[middle]) == (middle, last)
    assert flow.sorted_tasks([other, first]) == flow.sorted_tasks() == (first, other, middle, last)
    with pytest.raises(errors.UnknownTaskError):
        flow.sorted_tasks([one])


@given(st.lists(st.lists(st.integers(0, 12), max_size=3), min_size=1, max_size=12), st.data())
def test_downstream_is_upstream_turned_round(upstreams: list[list[int]], data: st.DataObject) -> None:
    tasks = [one.copy(name=str(number)) for number in range(len(upstreams))]
    flow = Flow("random", tasks=tasks)
    for number, above in enumerate(upstreams):
        for other in above:
            if other < number:
                flow.add_edge(tasks[other], tasks[number])
    assert set().union(*flow.all_upstream_edges().values()) == set().union(*flow.all_downstream_edges().values())
    root = data.draw(st.sampled_from(tasks))
    below: set[Task] = {root}
    for each in flow.sorted_tasks():
        if flow.upstream_tasks(each) & below:
            below.add(each)
    assert set(flow.sorted_tasks([root])) == below
    assert all(each in flow.downstream_tasks(other) for each in tasks for other in flow.upstream_tasks(each))


@pytest.mark.parametrize(
    "close",
    [
        lambda flow, a, b: flow.add_edge(b, a, validate=True),
        lambda flow, a, b: flow.chain(b, a, validate=True),
        lambda flow, a, b: flow.set_dependencies(a, upstream_tasks=[b], validate=True),
        lambda flow, a, b: Flow("other", edges=[Edge(a, b), Edge(b, a)], validate=True),
    ],
    ids=["add_edge", "chain", "set_dependencies", "Flow"],
)
def test_a_circle_is_found_at_once_where_asked_for(close: Any) -> None:
    a, b = one.copy(), one.copy()
    flow = Flow("circle", edges=[Edge(a, b)])
    with pytest.raises(errors.CycleError):
        close(flow, a, b)
