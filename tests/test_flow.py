"""Building, looking at and validating flows."""

import pickle
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

import penstock
from penstock import Flow, Parameter, Task, as_task, errors, task
from penstock.edges import Edge


@task
def one() -> int:
    return 1


@task
def add(x: int, y: int = 1) -> int:
    return x + y


class Load(Task):
    def run(self, data_dir: str) -> str:
        return data_dir


class Train(Task):
    def run(self, data_dir: str, model_dir: str) -> str:
        return f"{data_dir} {model_dir}"


def test_a_flow_needs_a_name() -> None:
    with pytest.raises(errors.FlowError, match=r"needs a name.*found 5"):
        Flow(5)  # type: ignore[arg-type]
    with pytest.raises(errors.FlowError, match="needs a name"):
        Flow("")


def test_calling_a_task_adds_a_copy_bound_to_the_arguments() -> None:
    with Flow("calls") as flow:
        first = one()
        second = add(first, y=5)
    assert one not in flow
    assert flow.tasks == {first, second}
    assert flow.edges == {Edge(first, second, "x")}
    assert flow.constants[second] == {"y": 5}
    assert flow.upstream_tasks(second) == {first}
    assert flow.downstream_tasks(first) == {second}


def test_the_imperative_interface_runs_as_the_functional_one_does() -> None:
    flow = Flow("imperative")
    load, train = Load(), Train()
    flow.set_dependencies(train, upstream_tasks=[load], keyword_tasks={"data_dir": load, "model_dir": "m"})
    flow.set_dependencies(task=load, keyword_tasks={"data_dir": "d"})
    assert flow.sorted_tasks() == (load, train)
    state = flow.run()
    assert state.is_successful()
    assert state.result[train].result == "d m"


def test_tasks_can_be_bound_and_joined_outside_a_block() -> None:
    flow = Flow("joined")
    first, second = one.copy(), add.copy()
    second.set_upstream(first, flow=flow, key="x")
    third = add.copy().bind(x=2, flow=flow)
    third.set_downstream(second, flow=flow)
    assert flow.edges == {Edge(first, second, "x"), Edge(third, second)}
    assert [edge.key for edge in flow.chain(one.copy(), one.copy(), one.copy())] == [None, None]


def test_slugs_are_name_tags_and_a_number() -> None:
    with Flow("slugs") as flow:
        plain = one()
        with penstock.tags("b"):
            tagged = one.copy(tags={"a", "b"})
            flow.add_task(tagged)
        again = one()
        own = one(task_args={"slug": "mine"})
        parameter = Parameter("p", default=1)
    assert [flow.slugs[t] for t in (plain, tagged, again, own, parameter)] == [
        "one-1",
        "one-a-b-1",
        "one-2",
        "mine",
        "p",
    ]


def test_two_tasks_of_one_slug_are_refused() -> None:
    with Flow("clash") as flow:
        one(task_args={"slug": "mine"})
        with pytest.raises(errors.DuplicateKeyError, match='already has a task with the slug "mine"'):
            one(task_args={"slug": "mine"})
        Parameter("p")
        with pytest.raises(errors.DuplicateKeyError, match='"p"'):
            Parameter("p")
    assert len(flow.tasks) == 2


def test_a_copy_keeps_its_slug_so_a_task_that_has_one_is_called_once() -> None:
    named = one.copy(slug="only")
    with Flow("slugs") as flow:
        named()
        with pytest.raises(errors.DuplicateKeyError, match='already has a task with the slug "only"'):
            named()
        named(task_args={"slug": "other"})
    assert list(flow.slugs.values()) == ["only", "other"]


def test_the_same_input_given_twice_is_refused() -> None:
    flow = Flow("twice")
    second = add.copy()
    flow.set_dependencies(second, keyword_tasks={"x": 1})
    with pytest.raises(errors.DuplicateKeyError, match='was given the input "x" twice'):
        flow.set_dependencies(second, keyword_tasks={"x": one.copy()})
    assert flow.constants[second] == {"x": 1}


def test_a_cycle_is_named() -> None:
    flow = Flow("round")
    a, b, c, d = (one.copy(name=name) for name in "abcd")
    flow.chain(a, b, c, a)
    flow.add_edge(c, d)
    with pytest.raises(errors.CycleError, match=r"in a circle: (a → b → c → a|b → c → a → b|c → a → b → c)"):
        flow.validate()
    with pytest.raises(errors.CycleError):
        flow.run()
    with pytest.raises(errors.CycleError, match="depend on itself"):
        flow.add_edge(d, d)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (add, "needs a value for x"),
        (lambda: add(1, 2, 3), "takes 2 inputs by position, 3 were given"),
        (lambda: add(1, x=2), "'x' twice"),
        (lambda: add(1, z=2), "no input 'z'"),
    ],
    ids=["missing", "too many", "twice", "unknown"],
)
def test_a_call_with_wrong_arguments_is_refused_like_the_functions_own(call: Any, message: str) -> None:
    with Flow("calls") as flow, pytest.raises(TypeError, match=message):
        call()
    assert len(flow.tasks) == 0


def test_a_keyword_that_run_does_not_take_is_refused() -> None:
    flow = Flow("names")
    with pytest.raises(TypeError, match=r"no input 'date_dir'. Did you mean data_dir"):
        flow.set_dependencies(Load(), keyword_tasks={"date_dir": "d"})


def test_a_task_without_a_required_input_is_refused_when_validated() -> None:
    flow = Flow("lacking", tasks=[Load()])
    with pytest.raises(TypeError, match="needs a value for data_dir"):
        flow.validate()


def test_a_task_called_outside_of_a_flow_says_what_to_do() -> None:
    with pytest.raises(errors.FlowError, match=r"outside of a flow.*add.run"):
        add(1)
    assert add.run(1) == 2


def test_running_inside_the_block_is_refused() -> None:
    with Flow("inside") as flow:
        one()
        with pytest.raises(errors.FlowError, match="run it after the block"):
            flow.run()
    assert flow.run().is_successful()


def test_blocks_nest() -> None:
    with Flow("outer") as outer:
        one()
        with Flow("inner") as inner:
            one()
            assert penstock.context.flow is inner
        one()
    assert (len(outer.tasks), len(inner.tasks)) == (2, 1)
    assert "flow" not in penstock.context


def test_mapping_over_what_is_no_list_is_refused_at_the_call() -> None:
    with Flow("mapping"):
        with pytest.raises(TypeError, match=r"mapped over 5.*unmapped"):
            add.map(5)
        with pytest.raises(TypeError, match=r"mapped over \{\}"):
            add.map({})


def test_a_value_is_no_task() -> None:
    with pytest.raises(TypeError, match="takes tasks; found 5"):
        Flow("values").add_task(5)  # type: ignore[arg-type]


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(errors.UnknownTaskError, match="<Task: one> is not in flow"):
        Flow("empty").upstream_tasks(one)


def test_tasks_are_found_by_name_slug_tags_and_type() -> None:
    with Flow("found") as flow:
        first, parameter = one(task_args={"tags": {"a", "b"}}), Parameter("p")
    assert flow.get_tasks(name="one") == flow.get_tasks(tags=["a"]) == flow.get_tasks(slug="one-a-b-1") == [first]
    assert flow.get_tasks(task_type=Parameter) == [parameter]
    assert flow.root_tasks() == flow.terminal_tasks() == {first, parameter}


def test_a_flow_without_tasks_runs_well() -> None:
    flow = Flow("nothing")
    assert flow
    assert flow.run().is_successful()


def test_a_flow_can_be_pickled_and_runs_again() -> None:
    @task(max_retries=1, retry_delay=5)
    def inner(x: int) -> int:
        return x * 2

    with Flow("travelling") as flow:
        doubled = inner.map([1, 2])
    again = pickle.loads(cloudpickle.dumps(flow))
    (copy,) = again.tasks
    assert copy.max_retries == 1
    assert again.run().result[copy].result == [2, 4]
    assert doubled in flow


@given(st.lists(st.lists(st.integers(min_value=0, max_value=30), max_size=4), min_size=1, max_size=30), st.randoms())
def test_any_graph_without_cycle_is_sorted_however_it_was_built(upstreams: list[list[int]], random: Any) -> None:
    tasks = [one.copy(name=str(number)) for number in range(len(upstreams))]
    pairs = [(other, number) for number, above in enumerate(upstreams) for other in above if other < number]
    random.shuffle(pairs)
    flow = Flow("random")
    for other, number in pairs:
        flow.add_edge(tasks[other], tasks[number])
    place = {each: position for position, each in enumerate(flow.sorted_tasks())}
    assert all(place[tasks[other]] < place[tasks[number]] for other, number in pairs)
    assert flow.run().is_successful()


def test_tasks_that_were_made_in_the_block_and_left_out_are_warned_of() -> None:
    def build() -> None:
        with Flow("left"):
            Load()
            task(name="f")(one.fn)
            one()
            one.copy()

    with pytest.warns(UserWarning, match=r'block of flow "left" but not added to it: \[<Task: Load>, <Task: f>\]'):
        build()


def test_tasks_that_came_into_the_flow_in_any_way_are_not_warned_of() -> None:
    with Flow("used") as flow:
        called, bound, listed, changed, mapped, later = Load(), Load(), Load(), Train(), Load(), Load()
        called("d")
        bound.bind("d")
        one(upstream_tasks=[listed.bind("d")])
        changed("d", "m", task_args={"name": "other", "tags": {"a"}})
        mapped.map(["a", "b"])
        flow.add_task(task(lambda: 1))
        Parameter("p", default=1)
        [add(1), one()] | add(one(), 2)
        as_task(5)
        with flow:
            one()
        later("d")
    assert len(flow.tasks) == 15


def test_a_block_that_raises_does_not_warn() -> None:
    def build() -> None:
        with Flow("raising"):
            Load()
            raise KeyError

    with pytest.raises(KeyError):
        build()


def test_a_flow_can_be_pickled_inside_its_block() -> None:
    with Flow("inside") as flow:
        one()
        copy = pickle.loads(cloudpickle.dumps(flow))
    assert copy.run().is_successful()


def test_a_flow_is_shown_by_name_and_size_and_hashed_by_identity() -> None:
    with Flow("shown") as flow:
        one()
    assert repr(flow) == '<Flow: "shown", 1 tasks>'
    twin = flow.copy()
    assert twin == flow
    assert len({flow, twin}) == 2


def test_an_edge_from_a_value_is_no_edge() -> None:
    flow, second = Flow("values"), add.copy()
    assert flow.add_edge(5, second, key="x") is None
    assert flow.constants[second] == {"x": 5}
    assert flow.edges == set()


def test_edges_are_equal_in_all_five_parts() -> None:
    first, second = one.copy(), add.copy()
    assert Edge(first, second, "x") == Edge(first, second, "x")
    assert len({Edge(first, second, "x"), Edge(first, second, "x")}) == 1
    others = [
        Edge(second, first, "x"),
        Edge(first, second, "y"),
        Edge(first, second),
        Edge(first, second, "x", mapped=True),
        Edge(first, second, "x", flattened=True),
    ]
    assert all(other != Edge(first, second, "x") for other in others)
    for key in ("not a name", "class"):
        with pytest.raises(errors.FlowError, match="not a valid argument name"):
            Edge(first, second, key)
