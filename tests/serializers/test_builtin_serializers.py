"""The serializers that the kernel ships hold what every serializer holds to."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import errors
from penstock.results import MemoryResult
from penstock.serializers import JSONSerializer, PickleSerializer, Serializer
from penstock.testing.serializers import SerializerContract

_NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class TestPickleSerializer(SerializerContract):
    values = (*SerializerContract.values, {1, 2}, (1,), b"\x00", 1j, ValueError)

    @pytest.fixture
    def serializer(self) -> Serializer:
        return PickleSerializer()


class TestJSONSerializer(SerializerContract):
    @pytest.fixture
    def serializer(self) -> Serializer:
        return JSONSerializer()


def test_a_serializer_that_no_plugin_offers_reads_what_it_wrote() -> None:
    class Shifted(JSONSerializer):
        type = "shifted"
        by: int = 0

        def dumps(self, value: object) -> bytes:
            return bytes(byte + self.by for byte in super().dumps(value))

        def loads(self, content: bytes) -> object:
            return super().loads(bytes(byte - self.by for byte in content))

    written, reading = MemoryResult(serializer=Shifted(by=3)), MemoryResult(serializer=Shifted())
    where = written.write("abc")
    reading.put(where.location, written.get(where.location))
    assert reading.read(where) == "abc"


@given(_JSON)
def test_any_json_value_comes_back_equal(value: object) -> None:
    assert JSONSerializer().loads(JSONSerializer().dumps(value)) == value


def test_a_function_of_a_script_comes_back_in_another_process() -> None:
    content = PickleSerializer().dumps(lambda x: x + 1)
    code = f"from penstock.serializers import PickleSerializer as P; print(P().loads({content!r})(1))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "2\n"


def test_a_value_whose_own_code_raises_is_refused_with_its_reason() -> None:
    class Stubborn:
        def __reduce__(self) -> str:
            raise ValueError("not today")

    with pytest.raises(errors.SerializationError, match="Stubborn cannot be pickled: not today"):
        PickleSerializer().dumps(Stubborn())
