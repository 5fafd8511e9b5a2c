"""apply_map: a function that adds several tasks, mapped as one."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock import Flow, Task, apply_map, case, errors, flatten, mapped, merge, resource_manager, task, unmapped
from penstock.edges import Edge
from penstock.tasks import Constant


@task
def give(value: Any = None) -> Any:
    return value


@task
def one() -> int:
    return 1


@task
def add(x: Any, y: Any) -> Any:
    return x + y


@task
def is_even(x: int) -> bool:
    return x % 2 == 0


def add_if_even(x: Any) -> Task:
    with case(is_even(x), True):  # noqa: FBT003 - the value to compare with
        added = add(x, 10)
    return merge(added, x)


def add_then_give(x: Any, y: Any) -> Task:
    return give(add(x, y))


def root(_x: Any) -> Task:
    return one()


def operators(x: Task) -> Task:
    return x * 2 > 3


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: apply_map(add_if_even, range(4)), [10, 1, 12, 3]),
        (lambda: apply_map(add_if_even, give([4, 5])), [14, 5]),
        (lambda: apply_map(add_then_give, give([1, 2]), [10, 20]), [11, 22]),
        (lambda: apply_map(add_then_give, [1, 2], y=unmapped(give(5))), [6, 7]),
        (lambda: apply_map(add_then_give, [1, 2], unmapped(5)), [6, 7]),
        (lambda: apply_map(add_then_give, [[1], [2]], unmapped([3])), [[1, 3], [2, 3]]),
        (lambda: apply_map(root, give([4, 5, 6])), [1, 1, 1]),
        (lambda: apply_map(give, flatten(give([[1, 2], [3]]))), [1, 2, 3]),
        (lambda: apply_map(give, flatten([[1, 2], [3]])), [1, 2, 3]),
        (lambda: apply_map(give, mapped([1, 2])), [1, 2]),
        (lambda: apply_map(add_then_give, [give(1), give(2)], [3, 4]), [4, 6]),
        (lambda: apply_map(operators, give([1, 2])), [False, True]),
        (lambda: apply_map(give, "ab"), ["a", "b"]),
        (lambda: apply_map(add_if_even, []), []),
    ],
    ids=[
        "case and merge", "over a task", "two", "unmapped task", "unmapped constant", "unmapped list", "root",
        "flattened task", "flattened constant", "marked mapped", "list of tasks", "operators", "text", "empty",
    ],
)  # fmt: skip
def test_each_item_goes_through_all_the_tasks(build: Callable[[], Task], expected: Any) -> None:
    with Flow("map") as flow:
        made = build()
        gathered = give(made)
    state = flow.run()
    assert state.is_successful(), state.message
    assert state.result[gathered].result == expected


def test_the_tasks_are_mapped_over_each_other_and_roots_over_every_argument() -> None:
    seen: list[Any] = []

    def build(x: Task, y: Task, z: Any, w: int) -> tuple[Task, ...]:
        seen.extend([x, y, z, w])
        first = one()
        return first, add(x, first), add(first, w)

    with Flow("graph") as flow:
        x, z = give([1, 2]), give(7)
        first, second, third = apply_map(build, x, [3, 4], unmapped(z), w=unmapped(5))
    y = seen[1]
    assert seen == [x, y, z, 5]
    assert isinstance(y, Constant)
    assert flow.edges_to(first) == {Edge(x, first, mapped=True), Edge(y, first, mapped=True), Edge(z, first)}
    assert flow.edges_to(second) == {Edge(x, second, "x", mapped=True), Edge(first, second, "y", mapped=True)}
    assert flow.edges_to(third) == {Edge(first, third, "x", mapped=True)}
    assert flow.constants[third] == {"y": 5}
    assert flow.compile().order == range(len(flow.tasks))


def test_inside_other_tasks_are_mapped_over_unless_they_are_marked() -> None:
    with Flow("closure") as flow:
        many, whole = give([10, 20]), give([5])

        def build(x: Task) -> tuple[Task, Task]:
            return add(x, many), give([x, unmapped(whole)])

        apart, together = apply_map(build, [1, 2])
    state = flow.run()
    assert state.result[apart].result == [11, 22]
    assert state.result[together].result == [[1, [5]], [2, [5]]]


def test_the_shortest_argument_says_how_often() -> None:
    with Flow("short") as flow:
        made = apply_map(lambda x, y: give(x), [1, 2, 3], [4])
    assert flow.run().result[made].result == [1]


def test_inside_a_case_nothing_runs_if_the_case_does_not_hold() -> None:
    with Flow("case") as flow:
        with case(one(), 1):
            held = apply_map(add_if_even, give([1, 2]))
        with case(one(), 2):
            never = apply_map(add_then_give, give([1, 2]), [1, 2])
    state = flow.run()
    assert state.result[held].result == [1, 12]
    assert state.result[never].is_skipped()


def test_a_resource_is_made_for_each_item() -> None:
    log: list[str] = []

    class Store:
        def __init__(self, name: str) -> None:
            self.name = name

        def setup(self) -> str:
            log.append(f"open {self.name}")
            return self.name * 2

        def cleanup(self, resource: str) -> None:
            log.append(f"close {resource}")

    store = resource_manager(Store)

    def build(name: Task) -> Task:
        with store(name) as resource:
            return give(resource)

    with Flow("resources") as flow:
        made = apply_map(build, ["a", "b"])
    assert flow.run().result[made].result == ["aa", "bb"]
    assert sorted(log) == ["close aa", "close bb", "open a", "open b"]


def test_a_flow_that_is_given_is_passed_on() -> None:
    flow = Flow("given")
    items = give.copy().bind([1, 2], flow=flow)

    def build(x: Task, flow: Flow) -> Task:
        return add(x, 1, flow=flow)

    made = apply_map(build, items, flow=flow)
    assert flow.run().result[made].result == [2, 3]


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: apply_map(give, 1), TypeError, "cannot map over 1.*unmapped"),
        (lambda: apply_map(give, {"a": 1}), TypeError, "cannot map over {'a': 1}"),
        (lambda: apply_map(give, flatten(1)), TypeError, "cannot map over 1"),
        (lambda: apply_map(give.map, [1]), errors.FlowError, r"without \.map"),
        (lambda: apply_map(lambda x: give(x, mapped=True), [1]), errors.FlowError, r"without \.map"),
        (
            lambda: apply_map(lambda x: give.copy().set_upstream(x, key="value", mapped=True), [1]),
            errors.FlowError,
            r"without \.map",
        ),
        (lambda: apply_map(lambda x: apply_map(give, x), [[1]]), errors.FlowError, "without apply_map"),
    ],
    ids=["number", "dict", "flattened number", "map", "mapped call", "mapped edge", "nested"],
)
def test_what_cannot_be_mapped_is_refused(build: Callable[[], Any], error: type[Exception], message: str) -> None:
    with Flow("refused"), pytest.raises(error, match=message):
        build()


def test_apply_map_needs_a_flow() -> None:
    with pytest.raises(errors.FlowError, match=r"apply_map\(root\) stands outside of a flow"):
        apply_map(root, [1])
