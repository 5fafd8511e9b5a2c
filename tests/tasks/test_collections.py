"""Collections that hold tasks, and values as tasks."""

from collections import OrderedDict, namedtuple
from typing import Any

import pytest

from penstock import Flow, as_task, errors, flatten, mapped, task, unmapped
from penstock.tasks import Constant


@task
def give(value: Any) -> Any:
    return value


def gathered(value: Any) -> Any:
    """Run a flow that gives *value*, in which strings of one capital stand for tasks, and return what comes out."""
    with Flow("collections") as flow:
        made = give(value())
    return flow.run().result[made].result


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped kind is what is passed


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: [[give(1), {"x": (give(2), 3)}], {"k"}], [[1, {"x": (2, 3)}], {"k"}]),
        (lambda: {give(1), give(2), 3}, {1, 2, 3}),
        (lambda: {give("a"): 1, "b": give(2)}, {"a": 1, "b": 2}),
        (lambda: {(give("a"), 1): 2}, {("a", 1): 2}),
        (lambda: OrderedDict(a=give(1)), {"a": 1}),
        (lambda: Point(give(1), 2), (1, 2)),
        (lambda: [unmapped(give([1])), 2], [[1], 2]),
        (lambda: [flatten(give([[1], [2]])), 3], [[1, 2], 3]),
    ],
    ids=["nested", "set", "keys", "keys inside a tuple", "ordered", "named tuple", "unmapped", "flattened"],
)
def test_collections_of_tasks_hold_their_values(build: Any, expected: Any) -> None:
    assert gathered(build) == expected


def test_a_collection_with_a_mapped_task_in_it_is_made_for_each_item() -> None:
    assert gathered(lambda: [mapped(give([1, 2])), 10]) == [[1, 10], [2, 10]]


def test_a_collection_with_tasks_that_holds_itself_is_refused() -> None:
    with Flow("round"):
        loop: list[Any] = [give(1)]
        loop.append([loop])
        with pytest.raises(errors.FlowError, match="holds itself"):
            give(loop)


def test_constants_may_be_as_deep_as_they_like_and_hold_themselves() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with Flow("deep") as flow:
        one, other = give(deep), give(loop)
    assert flow.tasks == {one, other}
    assert flow.constants[other]["value"] is loop
    while deep:  # an object this deep is taken apart from its top, or freeing it overflows the stack
        deep = deep[0]


def test_a_value_as_a_task() -> None:
    one = give.copy()
    assert as_task(one) is one
    assert as_task(unmapped(one)) is one
    assert (as_task(5).name, as_task([1, 2, 3]).name) == ("5", "Constant[list]")
    with pytest.raises(errors.FlowError, match="outside of a flow"):
        as_task([one])
    flow = Flow("given")
    pair = as_task((one, 2), flow=flow)
    five = as_task({"a": 5})
    flow.add_task(five)
    one.bind(7, flow=flow)
    state = flow.run()
    assert isinstance(five, Constant)
    assert (state.result[pair].result, state.result[five].result) == ((7, 2), {"a": 5})
