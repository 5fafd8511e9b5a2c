"""What every serializer holds to, as tests."""

import json
import threading
from typing import Any, ClassVar

import pytest

from penstock import errors
from penstock.results import MemoryResult
from penstock.serializers import JSONSerializer, Serializer


class SerializerContract:
    """Subclass it as `Test...`, give the fixture `serializer`, and adjust the attributes."""

    values: ClassVar[tuple[Any, ...]] = (
        None,
        True,
        0,
        -1.5,
        "",
        "grüße\n",
        [],
        [1, [2, None]],
        {"a": {"b": [1]}},
    )
    """What comes back equal."""
    refused: ClassVar[tuple[Any, ...]] = (threading.Lock(),)
    """What this form cannot hold."""
    foreign: ClassVar[tuple[bytes, ...]] = (b"", b"\x00not of this form")
    """What is not of this form."""

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        """Return whether two values are equal; for values whose `==` says something else."""
        return bool(one == other)

    @pytest.fixture
    def serializer(self) -> Serializer:
        """Return the serializer under test."""
        raise NotImplementedError

    def test_values_come_back_equal_and_of_the_same_type(self, serializer: Serializer) -> None:
        for value in self.values:
            content = serializer.dumps(value)
            assert isinstance(content, bytes)
            back = serializer.loads(content)
            assert self.same(back, value)
            assert type(back) is type(value)

    def test_what_it_cannot_hold_is_refused_by_naming_its_type(self, serializer: Serializer) -> None:
        for value in self.refused:
            with pytest.raises(errors.SerializationError, match=type(value).__qualname__):
                serializer.dumps(value)

    def test_what_it_did_not_write_is_refused(self, serializer: Serializer) -> None:
        for content in self.foreign:
            with pytest.raises(errors.SerializationError):
                serializer.loads(content)

    def test_its_spec_restores_a_serializer_that_reads_the_same(self, serializer: Serializer) -> None:
        spec = json.loads(serializer.spec().model_dump_json())
        restored = Serializer.restore(spec)
        assert restored == serializer
        for value in self.values:
            assert self.same(restored.loads(serializer.dumps(value)), value)

    def test_a_result_is_read_with_the_serializer_that_wrote_it(self, serializer: Serializer) -> None:
        written = MemoryResult(serializer=serializer)
        where = written.write(self.values[-1])
        for other in (MemoryResult(), MemoryResult(serializer=JSONSerializer())):
            other.put(where.location, written.get(where.location))
            assert self.same(other.read(where), self.values[-1])
