"""What every storage that can be written holds to, as tests."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from penstock import errors
from penstock.storage import Source, Storage

_MOMENT: Final = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
_NAMES: Final = [
    *["plain", "With Space", "with-space", "grüße", "流れ", "x" * 255, ""],
    *["a/b", "../../up", "..", "nul\0", "%2e%2e/x"],
]
_SCRIPT: Final = """
from pathlib import Path
from penstock import Flow, task

Path({marker!r}).touch()

@task
def answer():
    return 42

with Flow("answers") as flow:
    answer()
"""


def _source(name: str = "a flow", content: bytes = b"content") -> Source:
    return Source(name, content, "script", _MOMENT)


class StorageContract:
    """Subclass it as `Test...`, and give the fixture `storage`."""

    @pytest.fixture
    def storage(self) -> Storage:
        """Return a storage over an empty place."""
        raise NotImplementedError

    @pytest.fixture
    def marker(self, tmp_path: Path) -> Path:
        """Return the file that the script makes when it is executed."""
        return tmp_path / "executed"

    @pytest.fixture
    def script(self, tmp_path: Path, marker: Path) -> Iterator[ModuleType]:
        """Return a module made from a file that defines the flow "answers"."""
        path = tmp_path / "answers.py"
        path.write_text(_SCRIPT.format(marker=str(marker)), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("penstock_contract_answers", path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        marker.unlink()
        yield module
        del sys.modules[spec.name]

    def test_a_source_is_fetched_as_it_was_put(self, storage: Storage) -> None:
        for content in (b"", b"print()\n", bytes(range(256)) * 1000):
            reference = storage.put(_source(content=content))
            assert storage.fetch(reference) == content

    def test_a_reference_tells_digest_size_and_format(self, storage: Storage) -> None:
        reference = storage.put(_source(content=b"content"))
        assert reference.sha256 == sha256(b"content").hexdigest()
        assert (reference.size, reference.format) == (7, "script")

    def test_sources_of_one_name_and_moment_do_not_overwrite_each_other(self, storage: Storage) -> None:
        contents = [b"first", b"second", b"third"]
        references = [storage.put(_source(content=content)) for content in contents]
        assert [storage.fetch(reference) for reference in references] == contents

    def test_many_threads_store_flows_of_one_name_and_moment(self, storage: Storage) -> None:
        contents = [f"content {number}".encode() for number in range(24)]
        with ThreadPoolExecutor(8) as pool:
            references = list(pool.map(lambda content: storage.put(_source(content=content)), contents))
        assert [storage.fetch(reference) for reference in references] == contents

    def test_a_flow_may_have_any_name(self, storage: Storage) -> None:
        references = {name: storage.put(_source(name, name.encode())) for name in _NAMES}
        assert {name: storage.fetch(reference).decode() for name, reference in references.items()} == {
            name: name for name in _NAMES
        }

    def test_nothing_there_is_an_error_of_its_own(self, storage: Storage) -> None:
        reference = storage.put(_source())
        missing = reference.model_copy(update={"location": f"{reference.location}-missing"})
        with pytest.raises(errors.FlowNotStoredError, match="-missing"):
            storage.fetch(missing)

    def test_its_spec_restores_a_storage_that_holds_the_same(self, storage: Storage, script: ModuleType) -> None:
        storage.add_flow(script.flow)
        storage.build()
        restored = _travelled(storage)
        assert restored == storage
        assert restored.fetch(restored.references["answers"]) == storage.fetch(storage.references["answers"])

    def test_a_script_is_stored_as_it_is_and_executed_only_to_load_it(
        self, storage: Storage, script: ModuleType, marker: Path
    ) -> None:
        storage.add_flow(script.flow)
        storage.build()
        assert script.__file__ is not None
        assert storage.fetch(storage.references["answers"]) == Path(script.__file__).read_bytes()
        assert not marker.exists()
        flow = _travelled(storage).get_flow("answers")
        assert marker.exists()
        assert flow.name == "answers"
        assert flow.run().is_successful()

    def test_a_flow_without_a_script_is_stored_as_a_pickle(self, storage: Storage, script: ModuleType) -> None:
        pickled = storage.model_copy(update={"stored_as_script": False})
        pickled.add_flow(script.flow)
        pickled.build()
        assert pickled.references["answers"].format == "pickle"
        assert _travelled(pickled).get_flow("answers").run().is_successful()

    def test_a_changed_source_is_refused_before_it_is_executed(
        self, storage: Storage, script: ModuleType, marker: Path
    ) -> None:
        storage.add_flow(script.flow)
        storage.build()
        changed = {"sha256": sha256(b"what was registered").hexdigest()}
        registered = storage.references["answers"].model_copy(update=changed)
        storage.references = {"answers": registered}
        with pytest.raises(errors.SourceChangedError, match="Nothing was executed"):
            storage.get_flow("answers")
        assert not marker.exists()

    def test_a_source_that_does_not_define_the_flow_is_an_error(self, storage: Storage) -> None:
        storage.references = {"answers": storage.put(_source("answers", b"x = 1\n"))}
        with pytest.raises(errors.FlowFileError, match="defines no flow"):
            storage.get_flow("answers")

    def test_a_source_that_raises_is_an_error_that_names_the_line(self, storage: Storage) -> None:
        storage.references = {"answers": storage.put(_source("answers", b"x = 1\nx / 0\n"))}
        with pytest.raises(errors.FlowFileError, match=r"line 2.*ZeroDivisionError"):
            storage.get_flow("answers")

    def test_an_unknown_flow_is_an_error_that_lists_the_known_ones(self, storage: Storage) -> None:
        storage.references = {"answers": storage.put(_source("answers"))}
        with pytest.raises(errors.FlowNotStoredError, match=r'"questions"; it holds answers'):
            storage.get_flow("questions")

    def test_the_result_that_goes_with_it_keeps_values(self, storage: Storage) -> None:
        from penstock.results import Result

        spec = storage.default_result()
        if spec is not None:
            result = Result.restore(json.loads(spec.model_dump_json()))
            assert result.read(result.write([1, 2])) == [1, 2]

    def test_what_it_holds_stays_after_another_build(self, storage: Storage, script: ModuleType) -> None:
        earlier = storage.put(_source("earlier"))
        storage.references = {"earlier": earlier}
        storage.add_flow(script.flow)
        assert set(storage.build().references) == {"earlier", "answers"}
        assert storage.fetch(earlier) == b"content"


def _travelled(storage: Storage) -> Any:
    """Return the storage as another process gets it."""
    return Storage.restore(json.loads(storage.spec().model_dump_json()))
