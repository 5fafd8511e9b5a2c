"""Flows in modules: the contract as far as it applies, and how modules are found, compared and imported."""

import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from penstock import Flow, errors
from penstock.storage import Storage
from penstock.testing.storages import ReadOnlyStorageContract
from penstock_module import Module

Publish: TypeAlias = Callable[[Mapping[str, bytes]], Storage]
FLOW = b"from penstock import Flow\nwith Flow('daily') as flow:\n    pass\n"


def pinned(module: str, name: str = "daily") -> Any:
    storage = Module(module)
    storage.add_flow(Flow(name))
    return Storage.restore(json.loads(storage.build().spec().model_dump_json()))


class TestModule(ReadOnlyStorageContract):
    """A module is what is installed: no earlier one can be loaded, and what lies beside it is not compared."""

    @pytest.fixture
    def publish(self, install: Any) -> Publish:
        def published(files: Mapping[str, bytes]) -> Storage:
            install({"flows/__init__.py": b"", **files})
            return Module("flows.answers")

        return published

    def test_what_was_pinned_is_loaded_whatever_comes_later(self, publish: Publish, files: dict[str, bytes]) -> None:
        publish(files)
        storage = pinned("flows.answers", "answers")
        publish({**files, "README.md": b"another"})
        assert storage.get_flow("answers").name == "answers"
        publish({**files, self.entry: b"raise ValueError('a later one')\n"})
        with pytest.raises(errors.SourceChangedError, match=r"at flows\.answers has changed .*Nothing was executed"):
            storage.get_flow("answers")

    def test_what_is_fetched_is_what_the_reference_says(self, publish: Publish, files: dict[str, bytes]) -> None:
        publish(files)
        storage = pinned("flows.answers", "answers")
        reference = storage.references["answers"]
        assert storage.fetch(reference) == files[self.entry]
        assert reference.model_dump() == {
            "location": "flows.answers",
            "sha256": sha256(files[self.entry]).hexdigest(),
            "size": len(files[self.entry]),
            "format": "script",
            "entry": None,
        }

    def test_a_script_that_is_not_there_is_an_error_that_names_it(
        self, publish: Publish, files: dict[str, bytes]
    ) -> None:
        del files[self.entry]
        publish(files)
        with pytest.raises(errors.FlowNotStoredError, match=rf"no module flows\.answers here.*{sys.path[0]}"):
            pinned("flows.answers")


class TestComparing:
    def test_no_package_above_is_executed_either_if_the_source_has_changed(self, install: Any, tmp_path: Path) -> None:
        marker = tmp_path / "executed"
        mark = b"from pathlib import Path\nPath(%r).touch()\n" % str(marker)
        files = {"acme/__init__.py": mark, "acme/inner/__init__.py": mark, "acme/inner/flows.py": FLOW}
        install(files)
        storage = pinned("acme.inner.flows")
        install({**files, "acme/inner/flows.py": mark + FLOW})
        with pytest.raises(errors.SourceChangedError):
            storage.get_flow("daily")
        assert not marker.exists()
        install(files)
        assert storage.get_flow("daily").name == "daily"
        assert marker.exists()

    def test_a_module_in_namespace_packages_is_found(self, install: Any) -> None:
        install({"ns/inner/flows.py": FLOW})
        assert pinned("ns.inner.flows").get_flow("daily").name == "daily"

    def test_a_namespace_package_inside_a_regular_one_says_what_to_do(self, install: Any) -> None:
        install({"regular/__init__.py": b"raise ValueError", "regular/inner/flows.py": FLOW})
        with pytest.raises(errors.FlowNotStoredError, match=r"regular\.inner is a folder .*add an empty __init__\.py"):
            pinned("regular.inner.flows")

    def test_a_package_is_a_module_too(self, install: Any) -> None:
        install({"acme/__init__.py": FLOW})
        assert pinned("acme").get_flow("daily").name == "daily"

    def test_a_module_that_is_already_imported_is_found(self, install: Any) -> None:
        install({"acme/__init__.py": b"", "acme/flows.py": FLOW})
        storage = pinned("acme.flows")
        flow = storage.get_flow("daily")
        assert storage.get_flow("daily") is flow

    def test_a_module_in_a_zip_file_is_found(
        self, install: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
            archive.writestr("zipped/__init__.py", b"")
            archive.writestr("zipped/flows.py", FLOW)
        monkeypatch.syspath_prepend(tmp_path / "site.zip")
        assert pinned("zipped.flows").get_flow("daily").name == "daily"
        for name in ("zipped.flows", "zipped"):
            del sys.modules[name]

    @pytest.mark.parametrize("module", ["sys", "bare"])
    def test_a_module_without_a_source_is_refused(self, install: Any, tmp_path: Path, module: str) -> None:
        install({})
        (tmp_path / "site" / "bare").mkdir(parents=True)
        with pytest.raises(errors.StorageError, match=f"The module {module} is .* no source"):
            pinned(module)

    def test_a_module_below_one_that_is_no_package_is_not_there(self, install: Any) -> None:
        install({"single.py": FLOW})
        with pytest.raises(errors.FlowNotStoredError, match=r"no module single\.inner"):
            pinned("single.inner")

    def test_a_source_that_cannot_be_read_is_told_of(self, install: Any, tmp_path: Path) -> None:
        install({"acme.py": FLOW})
        storage = pinned("acme")
        storage.get_flow("daily")
        (tmp_path / "site" / "acme.py").unlink()
        with pytest.raises(errors.StorageUnreachableError, match=r"acme\.py, cannot be read: No such file"):
            storage.get_flow("daily")


class TestImporting:
    def test_several_flows_are_told_apart_by_name(self, install: Any) -> None:
        install({"acme.py": FLOW + b"nightly = Flow('nightly')\n"})
        assert pinned("acme", "nightly").get_flow("nightly").name == "nightly"
        with pytest.raises(errors.FlowFileError, match=r'The module acme defines no flow "hourly".*daily, nightly'):
            pinned("acme", "hourly").get_flow("hourly")

    def test_two_flows_of_one_name_are_told_apart_by_attribute(self, install: Any) -> None:
        install({"acme.py": FLOW + b"class Kept:\n    other = Flow('daily')\nagain = Kept.other\n"})
        with pytest.raises(errors.FlowFileError, match=r'two flows named "daily".*Module\("acme:attribute"\)'):
            pinned("acme").get_flow("daily")
        assert pinned("acme:flow").get_flow("daily") is sys.modules["acme"].flow
        assert pinned("acme:Kept.other").get_flow("daily") is sys.modules["acme"].again

    def test_a_function_may_return_the_flow(self, install: Any) -> None:
        install({"acme.py": b"from penstock import Flow\ndef make():\n    return Flow('daily')\n"})
        assert pinned("acme:make").get_flow("daily").name == "daily"

    @pytest.mark.parametrize(
        ("attribute", "message"),
        [
            ("flwo", "There is no acme:flwo.* Did you mean flow"),
            ("number", "acme:number is no flow, .* of type int"),
            ("fails", "acme:fails does not return a flow: ZeroDivisionError"),
            ("nothing", "acme:nothing is no flow, .* of type NoneType"),
            ("nightly", 'is named "nightly"; registered was "daily"'),
        ],
        ids=lambda value: value if value.isidentifier() else "",
    )
    def test_an_attribute_that_is_no_such_flow_is_named(self, install: Any, attribute: str, message: str) -> None:
        rest = b"nightly = Flow('nightly')\nnumber = 1\ndef fails():\n    1 / 0\ndef nothing():\n    pass\n"
        install({"acme.py": FLOW + rest})
        with pytest.raises(errors.FlowFileError, match=message):
            pinned(f"acme:{attribute}").get_flow("daily")

    def test_running_and_registering_are_left_out(self, install: Any, tmp_path: Path) -> None:
        body = b"from penstock import task\n@task\ndef fail():\n    raise ValueError\nwith flow:\n    fail()\n"
        install({"acme.py": FLOW + body + b"assert not flow.run().is_failed()\nflow.register('project')\n"})
        assert pinned("acme").get_flow("daily").run().is_failed()

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (b"import is_not_there", r"\(.*acme\.py, line 1\): ModuleNotFoundError: .*is_not_there"),
            (b"x = (", r"SyntaxError: .*acme\.py, line 1"),
            (b"\n\nraise SystemExit", r"line 3\): SystemExit"),
        ],
        ids=["needs-another", "no-python", "exits"],
    )
    def test_a_module_that_cannot_be_imported_names_the_line(self, install: Any, source: bytes, message: str) -> None:
        install({"acme.py": source})
        with pytest.raises(errors.FlowFileError, match=f"The module acme cannot be imported.*{message}"):
            pinned("acme").get_flow("daily")


@pytest.mark.parametrize("module", ["", "__main__", "acme/flows.py", ".flows", "acme:", "acme..flows", "1a"])
def test_what_is_no_module_is_refused(module: str) -> None:
    with pytest.raises(errors.SettingsError, match='"module"'):
        Module(module)


def test_names_of_any_language_are_modules() -> None:
    assert Module("__main__x.grüße:flow").module == "__main__x.grüße:flow"
