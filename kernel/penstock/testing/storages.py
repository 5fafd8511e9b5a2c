"""What every storage holds to, as tests: one class for those that are written, one for those that are only read."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final, TypeAlias

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

_FETCH: Final = """
import json, sys
from penstock.storage import Storage

storage = Storage.restore(json.loads(sys.argv[1]))
sys.stdout.buffer.write(storage.fetch(storage.references["a flow"]))
"""

Failing: TypeAlias = Callable[[Storage, Exception, int], Storage]
"""Returns a storage over the place of another, of which the n-th call to that place raises an exception."""
_FAULTS: Final[dict[str, Exception]] = {
    "refused": ConnectionRefusedError("connection refused"),
    "time-out": TimeoutError("timed out"),
    "denied": PermissionError("denied"),
    "client": RuntimeError("the client's own error"),
}


def _source(name: str = "a flow", content: bytes = b"content") -> Source:
    return Source(name, content, "script", _MOMENT)


class StorageContract:
    """Subclass it as `Test...`, give the fixture `storage`, and adjust the attributes and the fixture `failing`."""

    lists: ClassVar[bool] = False
    """Whether it can say what it has stored, and remove it."""
    durable: ClassVar[bool] = True
    """Whether other processes find what this one has stored, as agents have to."""

    @pytest.fixture
    def storage(self) -> Storage:
        """Return a storage over an empty place."""
        raise NotImplementedError

    @pytest.fixture
    def failing(self) -> Failing | None:
        """Return how to let calls to the place fail, or None if there are no calls that could."""
        return None

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

    def test_another_process_finds_what_was_stored(self, storage: Storage) -> None:
        if not self.durable:
            return
        storage.references = {"a flow": storage.put(_source(content=b"content"))}
        done = subprocess.run(
            [sys.executable, "-c", _FETCH, storage.spec().model_dump_json()], check=False, capture_output=True
        )
        assert done.stdout == b"content", done.stderr.decode()

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

    @pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "longer"])
    def test_what_is_read_wrongly_is_refused_before_it_is_executed(
        self, storage: Storage, script: ModuleType, marker: Path, monkeypatch: pytest.MonkeyPatch, damage: str
    ) -> None:
        storage.add_flow(script.flow)
        storage.build()
        content = storage.fetch(storage.references["answers"])
        flipped = bytes([content[0] ^ 1]) + content[1:]
        wrong = {"cut": content[:-1], "empty": b"", "flipped": flipped, "longer": content + b"\n"}[damage]
        monkeypatch.setattr(type(storage), "fetch", lambda *_: wrong)
        with pytest.raises(errors.SourceChangedError, match="Nothing was executed"):
            storage.get_flow("answers")
        assert not marker.exists()

    @pytest.mark.parametrize("fault", _FAULTS)
    def test_a_fault_is_an_error_of_the_storage_and_leaves_what_was_stored(
        self, storage: Storage, failing: Failing | None, fault: str
    ) -> None:
        if failing is None:
            return
        earlier = storage.put(_source(content=b"earlier"))
        storage.put(_source(content=b"later"))
        whole = {stored.size for stored in storage.stored()} if self.lists else set()
        told: list[str] = []
        for call in range(1, 6):
            try:
                reference = failing(storage, _FAULTS[fault], call).put(_source(content=b"later"))
            except errors.StorageUnreachableError as error:
                told.append(str(error))
            else:
                assert storage.fetch(reference) == b"later"
        with pytest.raises(errors.StorageUnreachableError, match=str(_FAULTS[fault])):
            failing(storage, _FAULTS[fault], 1).fetch(earlier)
        assert all(str(_FAULTS[fault]) in message for message in told)
        assert storage.fetch(earlier) == b"earlier"
        if self.lists:
            assert {stored.size for stored in storage.stored()} == whole

    def test_what_it_stored_is_listed_and_can_be_removed(self, storage: Storage) -> None:
        if not self.lists:
            with pytest.raises(errors.StorageError, match="cannot say"):
                next(iter(storage.stored()))
            return
        assert list(storage.stored()) == []
        references = [storage.put(_source(name, b"content")) for name in ("a", "b", "b")]
        spec = storage.default_result()
        if spec is not None:
            from penstock.results import Result

            Result.restore(spec).write("is no flow")
        found = {stored.location: stored for stored in storage.stored()}
        assert sorted(found) == sorted(reference.location for reference in references)
        assert all(stored.modified is None or stored.modified.tzinfo is UTC for stored in found.values())
        storage.remove(references[0].location)
        storage.remove(references[0].location)
        assert len(list(storage.stored())) == 2
        with pytest.raises(errors.FlowNotStoredError):
            storage.fetch(references[0])
        assert storage.fetch(references[1]) == b"content"

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


class ReadOnlyStorageContract:
    """Subclass it as `Test...`, and give the fixture `publish`."""

    entry: ClassVar[str] = "flows/answers.py"
    """The path of the script: the one that the storage is to be made for."""

    @pytest.fixture
    def publish(self) -> Callable[[Mapping[str, bytes]], Storage]:
        """Return a function that makes files what the place holds now, and returns a storage for `entry` in it."""
        raise NotImplementedError

    @pytest.fixture
    def marker(self, tmp_path: Path) -> Path:
        """Return the file that the script makes when it is executed."""
        return tmp_path / "executed"

    @pytest.fixture
    def files(self, marker: Path) -> dict[str, bytes]:
        """Return the files to be published."""
        script = _SCRIPT.format(marker=str(marker)).replace("return 42", "return answered_here.NUMBER")
        return {
            self.entry: f"import answered_here\n{script}".encode(),
            "flows/answered_here.py": b"NUMBER = 42\n",
            "README.md": b"read me\n",
        }

    @pytest.fixture(autouse=True)
    def modules(self) -> Iterator[None]:
        """Forget what flows import, as another process would not know of it."""
        path = list(sys.path)
        yield
        sys.path[:] = path
        sys.modules.pop("answered_here", None)

    def test_a_flow_is_loaded_with_what_lies_beside_it(
        self, publish: Callable[[Mapping[str, bytes]], Storage], files: dict[str, bytes], marker: Path
    ) -> None:
        storage = _pinned(publish(files))
        assert not marker.exists()
        flow = _travelled(storage).get_flow("answers")
        assert marker.exists()
        assert [state.result for state in flow.run().result.values()] == [42]

    def test_what_was_pinned_is_loaded_whatever_comes_later(
        self, publish: Callable[[Mapping[str, bytes]], Storage], files: dict[str, bytes]
    ) -> None:
        storage = _pinned(publish(files))
        publish({**files, self.entry: b"raise ValueError('a later one')\n"})
        assert _travelled(storage).get_flow("answers").name == "answers"

    def test_what_is_fetched_is_what_the_reference_says(
        self, publish: Callable[[Mapping[str, bytes]], Storage], files: dict[str, bytes]
    ) -> None:
        storage = _pinned(publish(files))
        reference = storage.references["answers"]
        content = storage.fetch(reference)
        assert (sha256(content).hexdigest(), len(content)) == (reference.sha256, reference.size)
        assert _pinned(publish({**files, "README.md": b"another"})).references["answers"].sha256 != reference.sha256

    def test_a_changed_source_is_refused_before_it_is_executed(
        self, publish: Callable[[Mapping[str, bytes]], Storage], files: dict[str, bytes], marker: Path
    ) -> None:
        storage = _pinned(publish(files))
        registered = storage.references["answers"].model_copy(update={"sha256": "0" * 64})
        storage.references = {"answers": registered}
        with pytest.raises(errors.SourceChangedError, match="Nothing was executed"):
            storage.get_flow("answers")
        assert not marker.exists()

    def test_a_script_that_is_not_there_is_an_error_that_names_it(
        self, publish: Callable[[Mapping[str, bytes]], Storage], files: dict[str, bytes]
    ) -> None:
        del files[self.entry]
        with pytest.raises(errors.FlowNotStoredError, match=self.entry):
            _pinned(publish(files))

    def test_a_script_without_the_flow_or_that_raises_is_an_error(
        self, publish: Callable[[Mapping[str, bytes]], Storage], files: dict[str, bytes]
    ) -> None:
        for content, message in ((b"x = 1\n", "defines no flow"), (b"x = 1\nx / 0\n", r"line 2.*ZeroDivisionError")):
            with pytest.raises(errors.FlowFileError, match=message):
                _pinned(publish({**files, self.entry: content})).get_flow("answers")

    def test_nothing_can_be_put_into_it(
        self, publish: Callable[[Mapping[str, bytes]], Storage], files: dict[str, bytes]
    ) -> None:
        with pytest.raises(errors.StorageError, match="only read"):
            publish(files).put(_source())


def _pinned(storage: Storage) -> Storage:
    from penstock.flow import Flow

    storage.add_flow(Flow("answers"))
    return storage.build()


def _travelled(storage: Storage) -> Any:
    """Return the storage as another process gets it."""
    return Storage.restore(json.loads(storage.spec().model_dump_json()))
