"""Ready-made tasks, and defaults from attributes."""

from types import SimpleNamespace
from typing import Any

import pytest

from penstock import Flow, Task, context, errors, task
from penstock_tasks import FilterTask, GetAttr, GetItem, defaults_from_attrs


class Template(Task):
    def __init__(self, a: Any = None, b: Any = None, **options: Any) -> None:
        self.a, self.b = a, b
        super().__init__(**options)

    @defaults_from_attrs("a", "b")
    def run(self, a: Any = None, b: Any = None, c: int = 0) -> Any:
        return a, b, c


def test_inputs_left_out_come_from_attributes() -> None:
    template = Template(a=1, b=2)
    assert template.run() == (1, 2, 0)
    assert template.run(a=9) == (9, 2, 0)
    assert template.run(None, b=None) == (None, None, 0)
    with Flow("template") as flow:
        by_position, by_name = template(7), template(b=8, c=3)
    state = flow.run()
    assert [state.result[one].result for one in (by_position, by_name)] == [(7, 2, 0), (1, 8, 3)]


def test_a_default_must_name_an_input() -> None:
    with pytest.raises(errors.TaskError, match=r"no input 'siz'. Did you mean size\?"):

        @defaults_from_attrs("siz")
        def run(self: Any, size: int = 0) -> int:
            return size


def test_a_filter_keeps_values_and_drops_none_and_exceptions() -> None:
    @task
    def halve(x: int) -> float:
        return 1 / x

    @task
    def odd(x: int) -> int | None:
        return x if x % 2 else None

    with Flow("filter") as flow:
        values = FilterTask()(halve.map([0, 1, 2]))
        odds = FilterTask()(odd.map([1, 2, 3]))
        large = FilterTask(filter_func=lambda x: x > 1)(odd.map([1, 3]))
    state = flow.run()
    assert [state.result[one].result for one in (values, odds, large)] == [[1.0, 0.5], [1, 3], [3]]


def test_a_filter_says_what_it_kept_where_it_is_asked_to() -> None:
    said: list[str] = []
    keep = FilterTask(log_func=lambda kept: f"kept {kept}")
    with context(logger=SimpleNamespace(info=said.append)):
        assert keep.run([1, None, 2]) == [1, 2]
    assert keep.run([3]) == [3]
    assert said == ["kept [1, 2]"]


@task
def give(value: Any) -> Any:
    return value


def value_of(build: Any) -> Any:
    with Flow("parts") as flow:
        made = build()
    return flow.run().result[made].result


def test_a_missing_item_or_attribute_may_have_a_default() -> None:
    assert value_of(lambda: GetItem(default=9)(give({}), "k")) == 9
    assert value_of(lambda: GetItem(default=9)(give({}), "k", default=4)) == 4
    assert value_of(lambda: GetAttr()(give(3), "real.imag")) == 0
    assert value_of(lambda: GetAttr(default=None)(give(3), "nope")) is None
    with Flow("none") as flow:
        missing = GetAttr()(give(3), "nope")
    assert isinstance(flow.run().result[missing].result, AttributeError)
