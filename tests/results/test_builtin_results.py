"""The results that the kernel ships hold what every result holds to."""

import pickle

import pytest

from penstock import errors
from penstock.results import ConstantResult, MemoryResult, Result
from penstock.serializers import JSONSerializer
from penstock.testing.results import ResultContract


class TestMemoryResult(ResultContract):
    durable = False
    confined = False

    @pytest.fixture
    def result(self) -> Result:
        return MemoryResult()


class TestMemoryResultAsJSON(TestMemoryResult):
    @pytest.fixture
    def result(self) -> Result:
        return MemoryResult(serializer=JSONSerializer())


def test_a_constant_is_read_everywhere_and_written_nowhere() -> None:
    result = ConstantResult([1, 2])
    assert result.read("anywhere") == [1, 2]
    assert result.exists("anywhere")
    with pytest.raises(errors.ResultError, match=r"cannot be written; its value is \[1, 2\]"):
        result.write(3)
    with pytest.raises(errors.ResultMissingError, match="stored form"):
        result.get("anywhere")
    assert Result.restore(result.spec()) == result


def test_a_location_is_a_text() -> None:
    with pytest.raises(errors.SettingsError, match='option "location" of result "memory": Input should be a valid str'):
        MemoryResult(location=lambda **known: "here")  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [(b"result 1", b"result 2"), (b'{"length"', b'{"coding": "x", "length"')])
def test_a_result_of_a_newer_format_may_be_that(change: tuple[bytes, bytes]) -> None:
    result = MemoryResult(location="x")
    result.put("x", result.get(result.write(1).location).replace(*change))
    with pytest.raises(errors.ResultCorruptError, match="newer"):
        result.read("x")


def test_a_bare_pickle_is_no_result() -> None:
    result = MemoryResult()
    result.put("old", pickle.dumps([1, 2]))
    with pytest.raises(errors.ResultCorruptError, match="not a penstock result"):
        result.read("old")
