"""Datetimes and compressed values hold what every serializer holds to."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from penstock import errors
from penstock.results import MemoryResult
from penstock.serializers import PickleSerializer, Serializer
from penstock.testing.serializers import SerializerContract
from penstock_formats import CompressedSerializer, DateTimeSerializer


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
