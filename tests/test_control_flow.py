"""Branches: case, switch, ifelse and merge."""

from typing import Any

import pytest

from penstock import Flow, Parameter, Task, case, errors, ifelse, merge, signals, switch, task, triggers, unmapped
from penstock.states import State


@task
def give(value: Any = None) -> Any:
    return value


@task
def skip() -> None:
    raise signals.SKIP("not today")


@task
def fail() -> None:
    raise ValueError("broken")


def ends(flow: Flow, *tasks: Task) -> list[Any]:
    """Run *flow* and return for each task its value, or the name of a state that is no plain success."""
    state = flow.run()
    return [_end(state.result[one]) for one in tasks]


def _end(state: State) -> Any:
    if state.is_mapped():
        return [_end(child) for child in state.map_states]  # type: ignore[attr-defined]
    return state.result if state.type == "Success" else state.type


def names(tasks: set[Task]) -> list[str]:
    return sorted(one.name for one in tasks)


def test_the_tasks_of_a_case_run_only_if_the_value_is_as_it_says() -> None:
    with Flow("case") as flow:
        kind = give("csv")
        with case(kind, "csv"):
            read = give(1)
            parsed = give(read)
        with case(kind, "json"):
            other = give(2)
        merged = merge(parsed, other)
    assert names(flow.upstream_tasks(read)) == ["case(csv)"]
    assert flow.upstream_tasks(parsed) == {read}
    assert ends(flow, read, parsed, other, merged) == [1, 1, "Skipped", 1]


def test_a_case_is_in_an_order_that_needs_no_sorting() -> None:
    with Flow("order") as flow:
        kind = give(1)
        with case(kind, 1):
            give(2)
            with case(give(3), 3):
                give(4)
    assert flow.compile().order == range(6)


def test_parameters_and_constants_in_a_case_are_not_guarded() -> None:
    with Flow("guard") as flow, case(give(1), 2):
        size = Parameter("size", default=3)
        used = give(size)
    assert flow.upstream_tasks(size) == set()
    assert names(flow.upstream_tasks(used)) == ["case(2)", "size"]
    assert ends(flow, size, used) == [3, "Skipped"]


def test_cases_may_be_nested() -> None:
    with Flow("nested") as flow:
        one, two = give(1), give(2)
        with case(one, 1):
            with case(two, 2):
                inner = give("inner")
            with case(two, 3):
                never = give("never")
            after = give(inner)
        with case(one, 0), case(two, 2):
            unreached = give("unreached")
    assert names(flow.upstream_tasks(inner)) == ["case(2)"]
    assert names(flow.upstream_tasks(after)) == ["case(1)", "give"]
    comparison = next(iter(flow.upstream_tasks(inner)))
    assert names(flow.upstream_tasks(comparison)) == ["case(1)", "give"]
    assert ends(flow, inner, never, after, unreached) == ["inner", "Skipped", "inner", "Skipped"]


def test_a_case_without_tasks_leaves_nothing_behind() -> None:
    with Flow("empty") as flow:
        one = give(1)
        with case(one, 1):
            pass
    assert flow.tasks == {one}
    assert flow.run().is_successful()


def test_a_block_that_took_itself_out_left_no_edge() -> None:
    with Flow("asked inside") as flow, case(give(1), 1):
        assert len(flow.edges) == 1
    assert flow.edges == set()


def test_a_case_compares_with_a_value() -> None:
    with Flow("value"), pytest.raises(TypeError, match=r"case compares with a value.*is_equal"):
        case(give(1), give(1))


def test_a_case_may_compare_a_constant() -> None:
    with Flow("constant") as flow:
        with case("a", "a"):
            one = give(1)
        with case("a", "b"):
            other = give(2)
    assert ends(flow, one, other) == [1, "Skipped"]


def test_a_case_needs_a_flow_of_which_all_its_tasks_are() -> None:
    flow, other = Flow("one"), Flow("two")
    one = give.copy().bind(1, flow=flow)
    with pytest.raises(errors.FlowError, match="outside of a flow"), case(one, 1):
        pass
    with case(one, 1, flow=flow):
        inside = give(2)
        with pytest.raises(errors.FlowError, match=r'case\(.*belongs to <Flow: "one".*<Flow: "two"'):
            give(3, flow=other)
        with pytest.raises(errors.FlowError, match="belongs to"):
            other.add_task(give)
        with pytest.raises(errors.FlowError, match="belongs to"):
            other.add_edge(one, give)
        with pytest.raises(errors.FlowError, match="belongs to"), other:
            pass
    assert names(flow.upstream_tasks(inside)) == ["case(1)"]
    assert other.tasks == set()
    give(4, flow=other)


def test_what_is_skipped_does_not_tell_the_value() -> None:
    with Flow("secret") as flow:
        with case(give("my-password"), "other"):
            give(1)
        guard = next(one for one in flow.tasks if one.name == "case(other)")
    state = flow.run().result[guard]
    assert state.is_skipped()
    assert "my-password" not in state.message
    assert "'other'" in state.message


def test_a_task_that_was_added_before_is_not_guarded() -> None:
    with Flow("before") as flow:
        early = give.copy().bind(1)
        with case(give(0), 1):
            later = give(early)
    assert ends(flow, early, later) == [1, "Skipped"]


def test_switch_runs_the_task_of_the_value() -> None:
    with Flow("switch") as flow:
        chosen = give("b")
        a, b, c = give(1), give(2), [give(3), give(4)]
        switch(chosen, {"a": a, "b": b, "c": c})
        merged = merge(a, b)
    assert ends(flow, a, b, merged) == ["Skipped", 2, 2]
    comparison = next(iter(flow.upstream_tasks(a)))
    assert (comparison.name, comparison.tags) == ('CompareValue: "a"', {"switch"})
    gathered = next(one for one in flow.tasks if one.name == "List")
    assert flow.run().result[gathered].is_skipped()


def test_a_switch_needs_a_task_for_each_value() -> None:
    with Flow("switch"), pytest.raises(TypeError, match=r"\{value: task\}; found \[<Task: give>\]"):
        switch(give("b"), [give(1)])  # type: ignore[arg-type]


def test_a_mapped_switch_decides_for_each_item() -> None:
    with Flow("switch") as flow:
        kinds = give.map(["a", "b"])
        a, b = give.map([1, 2]), give.map([3, 4])
        switch(kinds, {"a": a, "b": b}, mapped=True)
        merged = merge(a, b, mapped=True)
    assert ends(flow, a, b, merged) == [[1, "Skipped"], ["Skipped", 4], [1, 4]]


@pytest.mark.parametrize(("value", "expected"), [([], "no"), ([0], "yes")], ids=["empty", "not empty"])
def test_ifelse_goes_by_truth(value: Any, expected: str) -> None:
    with Flow("ifelse") as flow:
        yes, no = give("yes"), give("no")
        ifelse(give(value), yes, no)
        merged = merge(yes, no)
    assert ends(flow, merged) == [expected]


def test_ifelse_may_lack_a_branch() -> None:
    with Flow("ifelse") as flow:
        yes, no = give("yes"), give("no")
        ifelse(give(1), None, no)
        ifelse(give(1), yes, None)
        ifelse(give(1), None, None)
    assert len(flow.tasks) == 2 + 2 * 3 + 1
    assert ends(flow, yes, no) == ["yes", "Skipped"]


def test_a_mapped_ifelse_decides_for_each_item() -> None:
    with Flow("ifelse") as flow:
        yes, no = give.map([1, 2]), give.map([3, 4])
        ifelse(give([0, 1]), yes, no, mapped=True)
    assert ends(flow, yes, no) == [["Skipped", 2], [3, "Skipped"]]


def test_merge_takes_the_first_value_that_is_not_none_in_the_order_of_its_arguments() -> None:
    with Flow("merge") as flow:
        falsy = merge(give(None), give(0), give(1))
        tenth = merge(*[give(None) for _ in range(9)], give("tenth"), give("eleventh"))
        constant = merge(give(None), 5)
        nothing = merge(give(None), skip())
    assert ends(flow, falsy, tenth, constant, nothing) == [0, "tenth", 5, None]


def test_merge_is_skipped_only_if_all_branches_are_and_fails_with_any() -> None:
    with Flow("merge") as flow:
        partly, wholly, broken = merge(skip(), give(1)), merge(skip(), skip()), merge(fail(), give(1))
    assert ends(flow, partly, wholly, broken) == [1, "Skipped", "TriggerFailed"]


def test_merge_takes_options_and_a_flow() -> None:
    flow = Flow("given")
    one = give.copy().bind(1, flow=flow)
    merged = merge(one, flow=flow, name="joined", trigger=triggers.all_finished, tags={"a"})
    assert (merged.name, merged.tags, merged.trigger) == ("joined", {"a"}, triggers.all_finished)
    with pytest.raises(errors.TaskError, match="skip_on_upstream_skip=True"):
        merge(one, flow=flow, skip_on_upstream_skip=True)


def test_a_mapped_task_in_a_case_that_holds_runs_for_each_item() -> None:
    with Flow("mapped") as flow, case(give(1), 1):
        mapped = give.map([1, 2])
        total = give(mapped)
        whole = give.map(unmapped(7), upstream_tasks=[unmapped(total)])
    assert ends(flow, mapped, total) == [[1, 2], [1, 2]]
    assert names(flow.upstream_tasks(mapped)) == ["case(1)"]
    assert flow.upstream_tasks(whole) == {total}
