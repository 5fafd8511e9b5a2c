"""Frames, tables and messages hold what every serializer holds to."""

import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

from penstock import errors
from penstock.serializers import Serializer
from penstock.testing.serializers import SerializerContract
from penstock_formats import ArrowSerializer, CompressedSerializer, MsgspecSerializer, PandasSerializer

FRAMES = (
    pd.DataFrame({"number": [1, 2, 3], "share": [0.5, -1.25, 0.0], "name": ["a", "grüße", "c d"]}),
    pd.DataFrame({"one": [7]}),
)
WITHOUT_INDEX = {"serialize_kwargs": {"index": False}}
OPTIONS: dict[str, dict[str, Any]] = {
    "csv": WITHOUT_INDEX,
    "feather": {},
    "json": {"serialize_kwargs": {"orient": "table"}, "deserialize_kwargs": {"orient": "table"}},
    "orc": {},
    "parquet": {"serialize_kwargs": {"compression": "gzip"}},
    "pickle": {},
    "stata": {"serialize_kwargs": {"write_index": False, "version": 118}},
}


@pytest.mark.parametrize("file_type", OPTIONS)
class TestPandasSerializer(SerializerContract):
    values = FRAMES
    refused = (threading.Lock(), [1, 2], FRAMES[0]["number"])
    foreign = (b"",)  # anything but nothing is a csv

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        return bool((one.astype(str) == other.astype(str)).all(axis=None))

    @pytest.fixture
    def serializer(self, file_type: str) -> Serializer:
        return PandasSerializer(file_type, **OPTIONS[file_type])

    def test_what_the_library_refuses_is_told_with_its_reason(self, file_type: str) -> None:
        wrong = PandasSerializer(file_type, serialize_kwargs={"nonsense_": 1}, deserialize_kwargs={"nonsense_": 1})
        with pytest.raises(errors.SerializationError, match=f"DataFrame cannot be written as {file_type}: .*nonsense_"):
            wrong.dumps(FRAMES[0])
        content = PandasSerializer(file_type, **OPTIONS[file_type]).dumps(FRAMES[1])
        with pytest.raises(errors.SerializationError, match=f"cannot be read as {file_type}: .*nonsense_"):
            wrong.loads(content)


@pytest.mark.parametrize("file_type", ["parquet", "feather", "pickle"])
def test_types_and_index_survive_in_binary_formats(file_type: str) -> None:
    frame = pd.DataFrame({"when": pd.to_datetime(["2026-03-20T12:00Z"]), "kind": pd.Categorical(["x"])})
    serializer = PandasSerializer(file_type)
    pd.testing.assert_frame_equal(serializer.loads(serializer.dumps(frame)), frame)


def test_an_unknown_file_type_is_refused_at_once() -> None:
    with pytest.raises(errors.SettingsError, match=r'"file_type" of serializer "pandas".*\'csv\'.*found \'cvs\''):
        PandasSerializer("cvs")


class TestCompressedPandas(SerializerContract):
    values = FRAMES

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        return TestPandasSerializer.same(one, other)

    @pytest.fixture
    def serializer(self) -> Serializer:
        return CompressedSerializer(PandasSerializer("csv", **WITHOUT_INDEX), "xz")


@pytest.mark.parametrize("form", ["json", "msgpack"])
class TestMsgspecSerializer(SerializerContract):
    @pytest.fixture
    def serializer(self, form: str) -> Serializer:
        return MsgspecSerializer(form)

    def test_structs_and_dataclasses_come_back_as_plain_values(self, serializer: Serializer) -> None:
        class Point(msgspec.Struct):
            x: int

        @dataclass
        class Line:
            begin: Point

        assert serializer.loads(serializer.dumps(Line(Point(1)))) == {"begin": {"x": 1}}


def test_bytes_survive_as_messagepack() -> None:
    assert MsgspecSerializer().loads(MsgspecSerializer().dumps(b"\x00\xff")) == b"\x00\xff"


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
class TestArrowSerializer(SerializerContract):
    values = (
        pa.table({"number": [1, None, 3], "name": ["a", "grüße", None], "nested": [[1], [], [2, 3]]}),
        pa.table({"one": pa.array([], pa.float32())}).replace_schema_metadata({"unit": "m"}),
    )
    refused = (threading.Lock(), FRAMES[0], [1])

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        return bool(one.equals(other, check_metadata=True))

    @pytest.fixture
    def serializer(self, compression: Any) -> Serializer:
        return ArrowSerializer(compression=compression)


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("PandasSerializer('csv')", "pandas", "pandas"),
        ("ArrowSerializer()", "pyarrow", "arrow"),
        ("MsgspecSerializer()", "msgspec", "msgspec"),
    ],
)
def test_a_missing_library_is_named_with_what_to_install(name: str, library: str, extra: str) -> None:
    code = f"""
import sys
sys.modules[{library!r}] = None
import penstock_formats
serializer = penstock_formats.{name}
assert "numpy" not in sys.modules
try:
    serializer.dumps(1)
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    told, hint = done.stdout.splitlines()
    assert told.startswith(f'The serializer "{extra}" needs {library}, which cannot be imported')
    assert hint == f'Try: pip install "penstock-formats[{extra}]"'


def test_the_facade_finds_them() -> None:
    from penstock import serializers

    assert serializers.PandasSerializer is PandasSerializer
    assert Serializer.resolve({"type": "msgspec", "format": "json"}) == MsgspecSerializer("json")
