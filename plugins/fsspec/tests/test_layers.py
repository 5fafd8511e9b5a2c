"""Layers between a storage or result and its files."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from penstock import clock, errors, hookimpl
from penstock.hooks import observing
from penstock.results import Result
from penstock.storage import Source, Storage
from penstock_fsspec import FsspecStorage, Local, LocalResult, layers

KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_SECRETS__KEY", KEY)


@given(content=st.binary(max_size=300), chosen=st.lists(st.sampled_from(["zstd", "zstd:19", "fernet:KEY"]), max_size=4))
def test_what_was_put_into_layers_comes_out_of_them(content: bytes, chosen: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_SECRETS__KEY", KEY)
        assert layers.decode(chosen, layers.encode(chosen, content), len(content)) == content


def test_layers_are_written_behind_a_url_or_a_type_name(tmp_path: Path) -> None:
    storage = Storage.resolve("memory://flows | zstd:5 | fernet:KEY")
    assert storage == FsspecStorage("memory://flows", layers=["zstd:5", "fernet:KEY"])
    assert Storage.resolve("local|zstd") == Local(layers=["zstd"])
    assert Result.resolve("memory://results | zstd").spec().options == {"url": "memory://results", "layers": ["zstd"]}
    assert Local(tmp_path, layers=["zstd"]).default_result().options["layers"] == ["zstd"]


def test_what_lies_there_is_compressed_and_encrypted(tmp_path: Path) -> None:
    result = LocalResult(tmp_path, location="x", layers=["zstd", "fernet:KEY"])
    where = result.write("words " * 10_000)
    lying = Path(where.location).read_bytes()
    assert b"words" not in lying
    assert len(lying) < 1000 < where.size
    assert Result.restore(result.spec()).read(where) == "words " * 10_000
    assert KEY not in result.spec().model_dump_json()


def test_another_key_and_a_changed_byte_are_named_and_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, result = Local(tmp_path, layers=["fernet:KEY"]), LocalResult(tmp_path, layers=["zstd"])
    reference = storage.put(Source("a", b"print()", "script", clock.now()))
    monkeypatch.setenv("PENSTOCK_SECRETS__KEY", OTHER)
    with pytest.raises(errors.SourceChangedError, match="not encrypted with the key KEY, or it was changed") as caught:
        storage.fetch(reference)
    assert OTHER not in str(caught.value)
    monkeypatch.setenv("PENSTOCK_SECRETS__KEY", f"{OTHER} {KEY}")
    assert storage.fetch(reference) == b"print()"
    where = result.write([1, 2])
    Path(where.location).write_bytes(b"something else")
    with pytest.raises(errors.ResultCorruptError, match="layer 'zstd' cannot be taken off: it is not compressed"):
        result.read(where)


def test_no_more_comes_out_than_was_stored(tmp_path: Path) -> None:
    storage = Local(tmp_path, layers=["zstd"])
    reference = storage.put(Source("a", bytes(10_000_000), "script", clock.now()))
    assert Path(reference.location).stat().st_size < 1000
    with pytest.raises(errors.SourceChangedError, match="stands for 10000000 bytes, and at most 10 are expected"):
        storage.fetch(reference.model_copy(update={"size": 10}))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("gzipp", "No plugin knows a layer 'gzipp'; penstock-fsspec has zstd"),
        ("zstd:fast", "level of zstd is a number from 1 to 22; found fast"),
        ("fernet", "needs the name of the secret that holds its key"),
    ],
    ids=["unknown", "level", "no-key"],
)
def test_a_layer_that_cannot_be_is_refused_when_it_is_named(layer: str, message: str) -> None:
    with pytest.raises(errors.SettingsError, match=message):
        Local(layers=[layer])


def test_a_key_in_place_of_its_name_is_refused_and_not_shown() -> None:
    with pytest.raises(errors.SecretMissingError, match="may be the value itself") as caught:
        LocalResult(layers=["zstd", f"fernet:{KEY}"])
    assert KEY not in str(caught.value)


def test_a_key_that_is_none_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PENSTOCK_SECRETS__KEY", "short key")
    with pytest.raises(errors.SettingsError, match=r'"KEY" is no Fernet key.*Make one with'):
        LocalResult(tmp_path, layers=["fernet:KEY"]).write(1)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(errors.PluginMissingError, match=r"pip install 'penstock-fsspec\[zstd\]'"):
        Local(layers=["zstd"])


def test_penstock_layer() -> None:
    class Reversed:
        def __init__(self, argument: str) -> None:
            self.times = int(argument or 1)

        def encode(self, content: bytes) -> bytes:
            return content[::-1] * self.times

        def decode(self, content: bytes, most: int) -> bytes:
            return content[: len(content) // self.times][::-1]

    class Plugin:
        @hookimpl
        def penstock_layer(self, name: str, argument: str) -> Any:
            return Reversed(argument) if name == "reversed" else None

    with observing(Plugin()):
        storage = FsspecStorage(f"memory://{uuid.uuid4().hex}", layers=["reversed:2", "zstd"])
        reference = storage.put(Source("a", b"content", "script", clock.now()))
        assert layers.encode(["reversed:2"], b"abc") == b"cbacba"
        assert storage.fetch(reference) == b"content"
