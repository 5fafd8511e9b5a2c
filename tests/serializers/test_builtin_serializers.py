"""The serializers that the kernel ships hold what every serializer holds to."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import errors
from penstock.results import MemoryResult
from penstock.serializers import (
    CompressedSerializer,
    DateTimeSerializer,
    JSONSerializer,
    PickleSerializer,
    Serializer,
)
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


class TestDateTimeSerializer(SerializerContract):
    values = (
        datetime(2026, 3, 20, 12, 30, 15, 42, tzinfo=UTC),
        datetime(1, 1, 1),  # noqa: DTZ001 - without a zone it comes back without one
        datetime(2026, 3, 20, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
        datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/Berlin")),
    )
    refused = ("2026-03-20", 1, None, datetime(2026, 3, 20, tzinfo=UTC).date())

    @pytest.fixture
    def serializer(self) -> Serializer:
        return DateTimeSerializer()


@pytest.mark.parametrize("form", ["bz2", "gzip", "lzma", "xz", "zlib"])
class TestCompressedSerializer(SerializerContract):
    @pytest.fixture
    def serializer(self, form: str) -> Serializer:
        return CompressedSerializer("json", form)

    def test_it_takes_less_room(self, serializer: Serializer) -> None:
        assert len(serializer.dumps("again " * 1000)) < 200


def test_compression_wraps_pickle_unless_told() -> None:
    assert CompressedSerializer() == CompressedSerializer(PickleSerializer(), "zlib")


def test_compression_in_compression_travels_as_data() -> None:
    nested = CompressedSerializer(CompressedSerializer(DateTimeSerializer(), "bz2"), format="xz")
    assert Serializer.restore(nested.spec().model_dump()) == nested


def test_an_unknown_compression_is_refused_by_naming_those_there_are() -> None:
    with pytest.raises(errors.SettingsError, match=r"\"format\" of serializer \"compressed\".*'bz2'.*found 'rar'"):
        CompressedSerializer("json", "rar")


def test_a_result_is_read_with_the_options_that_wrote_it_not_with_the_readers() -> None:
    written = MemoryResult(serializer=CompressedSerializer("json", "bz2"))
    reading = MemoryResult(serializer=CompressedSerializer("pickle", "xz"))
    where = written.write([1, 2])
    reading.put(where.location, written.get(where.location))
    assert reading.read(where) == [1, 2]


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
