"""Parameters: required or not, typed or not."""

import pickle
from datetime import date
from typing import Any

import cloudpickle
import pytest

from penstock import Flow, Parameter, errors, registration, task
from penstock.results import MemoryResult
from penstock.tasks import Task


@task
def same(x: Any) -> Any:
    return x


def make(**options: Any) -> tuple[Flow, Task]:
    with Flow("parametrised") as flow:
        seen = same(Parameter("n", **options))
    return flow, seen


def test_a_value_is_given_in_a_mapping_or_by_name() -> None:
    flow, seen = make()
    assert flow.run({"n": 1}).result[seen].result == 1
    assert flow.run(n=2).result[seen].result == 2


def test_a_default_makes_it_optional_even_if_it_is_none() -> None:
    flow, seen = make(default=None)
    assert flow.run().result[seen].result is None


def test_a_missing_value_is_an_error_before_anything_runs() -> None:
    flow, _ = make()
    with pytest.raises(errors.ParameterError, match=r"needs a value for n: flow.run\(n=...\)"):
        flow.run()


def test_what_is_no_mapping_is_refused() -> None:
    flow, _ = make(default=1)
    with pytest.raises(errors.ParameterError, match=r"takes parameters by name; found \['n'\]"):
        flow.run(["n"])  # type: ignore[arg-type]


def test_an_unknown_name_is_an_error_with_the_nearest_known_one() -> None:
    flow, _ = make(default=1)
    with pytest.raises(errors.ParameterError, match='no parameter "m"'):
        flow.run(m=1)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [(int, "3", 3), (date, "2026-01-02", date(2026, 1, 2)), (list[int], ["1", 2], [1, 2])],
    ids=["int", "date", "list"],
)
def test_a_typed_value_is_converted(kind: Any, given: Any, expected: Any) -> None:
    flow, seen = make(type=kind)
    assert flow.run(n=given).result[seen].result == expected


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [(int, "3", 3), (list[int], ["1", 2], [1, 2]), (int | None, None, None)],
    ids=["int", "list", "optional"],
)
def test_a_type_may_stand_in_brackets(kind: Any, given: Any, expected: Any) -> None:
    with Flow("brackets") as flow:
        seen = same(Parameter[kind]("n"))
    assert flow.run(n=given).result[seen].result == expected
    (parameter,) = flow.parameters()
    assert parameter.type == kind


def test_a_type_in_brackets_is_validated_described_copied_and_pickled() -> None:
    parameter = Parameter[int]("n", default=3)
    assert (parameter.default, parameter.required, parameter.type) == (3, False, int)
    assert parameter.json_schema() == {"type": "integer"}
    for other in (parameter.copy("m"), pickle.loads(cloudpickle.dumps(parameter))):
        assert other.type is int
        with pytest.raises(errors.ParameterError, match="must be int; found 'many'"):
            other.validate("many")
    assert Parameter[int]("n", type=str).type is str
    assert Parameter("n").type is None


def test_an_ill_typed_value_is_an_error_that_says_what_was_expected() -> None:
    flow, _ = make(type=int)
    with pytest.raises(errors.ParameterError, match="\"n\" must be int; found 'many': Input should be a valid integer"):
        flow.run(n="many")


def test_a_parameter_takes_no_inputs() -> None:
    with Flow("inputs") as flow:
        parameter = Parameter("n")
        with pytest.raises(errors.FlowError, match="takes no inputs"):
            flow.add_edge(same.copy(), parameter)
        with pytest.raises(TypeError, match="takes no inputs"):
            parameter(1)


def test_a_parameter_made_outside_joins_by_being_used() -> None:
    parameter = Parameter("n", default=4)
    with Flow("outside") as flow:
        seen = same(parameter)
    assert flow.parameters() == {parameter}
    assert flow.run().result[seen].result == 4
    with pytest.raises(TypeError, match="needs a name of its own"):
        parameter.copy()
    assert parameter.copy("m").slug == "m"


def test_the_metadata_hold_default_and_schema() -> None:
    flow, _ = make(default=3, type=int)
    (spec,) = registration.serialize(flow).parameters
    assert spec.model_dump() == {"name": "n", "required": False, "default": 3, "json_schema": {"type": "integer"}}


def test_a_default_that_is_no_json_is_refused_by_name() -> None:
    flow, _ = make(default=object())
    with pytest.raises(errors.ParameterError, match='<Parameter: n> in flow "parametrised"'):
        registration.serialize(flow)


def test_the_value_of_a_parameter_is_not_written() -> None:
    shelf = MemoryResult(location="{task_name}")
    with Flow("kept", result=shelf) as flow:
        given = Parameter("n")
        used = same(given)
    state = flow.run(n=5)
    assert state.result[given].location is None
    assert state.result[used].location is not None
    assert (shelf.exists("same"), shelf.exists("n")) == (True, False)
