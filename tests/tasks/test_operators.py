"""Operators: what can be done with a task as if it were its value."""

import operator
from collections.abc import Callable
from typing import Any

import pytest

import penstock
from penstock import Flow, Task, errors, states, task
from penstock.edges import Edge
from penstock.results import MemoryResult


@task
def give(value: Any) -> Any:
    return value


@task
def add(x: Any, y: Any) -> Any:
    return x + y


def value_of(build: Callable[[], Task]) -> Any:
    with Flow("operators") as flow:
        made = build()
    return flow.run().result[made].result


BINARY = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.gt, operator.ge, operator.lt, operator.le,
)  # fmt: skip


@pytest.mark.parametrize("function", BINARY, ids=lambda function: function.__name__)
def test_operators_apply_to_the_values_of_tasks_and_constants_on_either_side(function: Callable[..., Any]) -> None:
    assert value_of(lambda: function(give(7), give(2))) == function(7, 2)
    assert value_of(lambda: function(give(7), 2)) == function(7, 2)
    assert value_of(lambda: function(7, give(2))) == function(7, 2)


def test_logic_and_equality_are_tasks_under_names_of_their_own() -> None:
    assert value_of(lambda: give(0) & give(5)) == 0
    assert value_of(lambda: 3 & give(5)) == 5
    assert value_of(lambda: give(0).or_(5)) == 5
    assert value_of(lambda: give(0).not_()) is True
    assert value_of(lambda: give(1).is_equal(give(1))) is True
    assert value_of(lambda: give(1).is_not_equal(1)) is False


def test_a_task_equals_only_itself() -> None:
    one, other = give.copy(), give.copy()
    assert one == one  # noqa: PLR0124 - identity is what is tested
    assert one != other
    assert {one: 1}[one] == 1


def test_an_operator_names_its_task_and_keeps_its_sides() -> None:
    with Flow("names") as flow:
        one = give(1)
        added, negated = 10 - one, one.not_()
    assert (added.name, negated.name) == ("Sub", "Not")
    assert flow.edges == {Edge(one, added, "y"), Edge(one, negated, "x")}
    assert flow.constants[added] == {"x": 10}


def test_an_operator_outside_of_a_flow_says_so() -> None:
    with pytest.raises(errors.FlowError, match="outside of a flow"):
        give + 1


def test_a_bar_chains_tasks_and_lists_of_tasks() -> None:
    with Flow("chain") as flow:
        a, b, c, d, e = (give.copy(name=name).bind(0) for name in "abcde")
        assert (a | b | c) is c
        assert ([b, c] | d) is d
        ends = d | [e]
    assert [one.name for one in ends] == ["e"]
    above = {one.name: {other.name for other in flow.upstream_tasks(one)} for one in flow.tasks if one.name in "bcd"}
    assert above == {"b": {"a"}, "c": {"b"}, "d": {"List"}}
    assert sorted(one.name for one in flow.downstream_tasks(d)) == ["List"]


def test_an_item_is_a_task_named_after_its_key_and_kept_where_the_value_is() -> None:
    kept = MemoryResult()
    source = give.copy(checkpoint=False, result=kept)
    with Flow("items") as flow:
        table, key = source({"k": [5, 6]}), give("k")
        first, by_task, missing = table["k"][1], table[key], table["nope"]
    state = flow.run()
    assert (first.name, by_task.name) == ("give['k'][1]", "give[give]")
    assert (first.checkpoint, first.result) == (False, kept)
    assert [state.result[one].result for one in (first, by_task)] == [6, [5, 6]]
    assert isinstance(state.result[missing].result, KeyError)


def test_pipe_gives_a_task_to_another_as_its_first_input() -> None:
    assert value_of(lambda: give(1).pipe(add, y=4).pipe(give)) == 5
    with Flow("marked") as flow:
        mapped = add.map([1, 2], give([10]).pipe(penstock.unmapped))
    assert isinstance(flow.run().result[mapped], states.Mapped)


def test_a_task_that_says_how_many_values_it_returns_is_taken_apart() -> None:
    @task(nout=2)
    def two() -> Any:
        return 1, 2

    @task
    def annotated() -> tuple[int, str, float]:
        return 1, "b", 0.5

    with Flow("nout") as flow:
        low, high = two()
        *_, last = annotated()
        added = add(low, high)
    state = flow.run()
    assert (state.result[added].result, state.result[last].result) == (3, 0.5)
    assert last.name == "annotated[2]"


def _quoted() -> "tuple[int, str]":
    return 1, ""


def _unknown() -> "tuple[NoSuchName, int]":  # type: ignore[name-defined]  # noqa: F821 - as in a file with a slip
    return 1, 2


def _open() -> tuple[int, ...]:
    return ()


def _bare() -> tuple:  # type: ignore[type-arg]
    return ()


def _none() -> tuple[()]:
    return ()


@pytest.mark.parametrize(
    ("function", "nout"),
    [(_quoted, 2), (_unknown, None), (_open, None), (_bare, None), (_none, 0), (lambda: 1, None)],
    ids=["quoted", "unknown name", "open", "bare", "empty", "unannotated"],
)
def test_the_number_of_values_is_read_from_the_annotation(function: Callable[..., Any], nout: int | None) -> None:
    assert task(function).nout == nout


def test_the_number_of_values_of_a_class_is_read_from_its_run() -> None:
    class Bounds(Task):
        def run(self) -> tuple[int, int]:
            return 1, 2

    assert Bounds().nout == 2
    assert Bounds(nout=1).nout == 1


def test_nout_is_a_number_of_values() -> None:
    with pytest.raises(errors.TaskError, match=r"nout of task 'give'.*found -1"):
        task(nout=-1)(give.fn)


def test_a_task_of_unknown_length_is_no_collection() -> None:
    with Flow("iteration") as flow:
        one = give(1)
        with pytest.raises(TypeError, match=r"cannot be iterated over.*nout=2.*\.map\(\).*\[task\]"):
            list(one)
        with pytest.raises(TypeError):
            5 in one  # type: ignore[operator]  # noqa: B015 - asking is what raises
    assert flow.tasks == {one}


def test_a_mapped_task_is_not_taken_apart() -> None:
    @task(nout=2)
    def two(x: int) -> tuple[int, int]:
        return x, x

    with Flow("mapped"):
        mapped = two.map([1, 2, 3])
        with pytest.raises(TypeError, match="cannot be iterated over"):
            _low, _high = mapped
        assert two.map([1], task_args={"nout": 3}).nout == 3
    assert two.nout == 2
