"""Flows in files, their hash, and what is said about them in a question."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock import Flow, Parameter, errors, task
from penstock.storage import Storage
from penstock_fsspec import Local


def doubling(name: str = "My Flow!") -> Flow:
    @task
    def double(x: int) -> int:
        return x * 2

    with Flow(name) as flow:
        double(Parameter("x", default=4))
    return flow


def test_a_flow_is_saved_under_its_name_and_loaded_by_it(home: Path) -> None:
    path = doubling().save()
    assert path == home / "flows" / "my-flow.penstock"
    for source in ("My Flow!", "my-flow", path, str(path)):
        flow = Flow.load(source)
        (last,) = flow.terminal_tasks()
        assert flow.run(x=5).result[last].result == 10


def test_a_flow_is_saved_where_one_says(tmp_path: Path) -> None:
    path = doubling().save("some/where.bin")
    assert path == Path("some/where.bin")
    assert Flow.load("some/where.bin").name == Flow.load(tmp_path / "some/where.bin").name == "My Flow!"
    assert [one.name for one in path.parent.iterdir()] == ["where.bin"]


def test_another_process_loads_and_runs_it() -> None:
    path = doubling().save()
    code = f"from penstock import Flow; print(Flow.load({str(path)!r}).run(x=8).is_successful())"
    done = subprocess.run([sys.executable, "-c", code], check=False, text=True, capture_output=True)
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr


def test_saving_again_replaces_the_file_and_failing_to_keeps_it(home: Path) -> None:
    path = doubling("one").save("flow.penstock")
    doubling("two").save(path)
    flow = Flow("three", tasks=[], on_failure=lambda *_: next(numbers))
    numbers = (None for _ in range(3))
    with pytest.raises(errors.SerializationError, match='"three" cannot be pickled'):
        flow.save(path)
    assert Flow.load(path).name == "two"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.StorageError, match=r'"My Flow!" cannot be saved at .*file/flow'):
        doubling().save(tmp_path / "file" / "flow")


def test_a_flow_that_was_not_saved_is_missed_with_the_nearest_name() -> None:
    doubling().save()
    with pytest.raises(errors.FlowFileError, match=r"No saved flow .*my-flows.penstock: .*Did you mean my-flow\?"):
        Flow.load("my-flows")
    with pytest.raises(errors.FlowFileError, match="Saved there: my-flow"):
        Flow.load("quite another")


@pytest.mark.parametrize("content", [b"\x80 no text", b"[]", b'{"flow": "!"}', b"{}"])
def test_a_file_that_is_no_saved_flow_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.penstock").write_bytes(content)
    with pytest.raises(errors.StorageError, match=r"other.penstock is not a flow that penstock has pickled"):
        Flow.load("./other.penstock")


def test_a_flow_that_cannot_be_unpickled_names_the_versions_that_differ() -> None:
    path = doubling().save()
    document = json.loads(path.read_text(encoding="utf-8"))
    document["versions"]["cloudpickle"] = "0.1"
    document["flow"] = document["flow"][:40]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(errors.StorageError, match=r"cannot be unpickled.*differ: cloudpickle 0.1 then"):
        Flow.load(path)


def test_the_hash_is_that_of_the_metadata() -> None:
    assert doubling().serialized_hash() == doubling().serialized_hash()
    assert doubling().serialized_hash() != doubling("other").serialized_hash()
    with pytest.raises(errors.StorageError, match="has no storage to be built"):
        doubling().serialized_hash(build=True)


def test_a_flow_is_pickled_without_those_that_share_its_storage(tmp_path: Path) -> None:
    storage = Local(tmp_path, stored_as_script=False)
    flow, other = doubling("one"), Flow("two", on_failure=lambda *_: next(numbers))
    numbers = (None for _ in range(3))  # so the other cannot be pickled at all
    flow.storage = storage
    alone = flow.save("alone.penstock").stat().st_size
    other.storage = storage
    assert flow.save("beside.penstock").stat().st_size == alone
    assert "two" in storage


def test_a_flow_that_was_saved_with_its_storage_is_stored_in_it(tmp_path: Path) -> None:
    flow = doubling("one")
    flow.storage = Local(tmp_path, stored_as_script=False)
    loaded = Flow.load(flow.save("one.penstock"))
    spec = loaded.serialize(build=True).storage
    assert spec is not None
    assert Storage.restore(spec).get_flow("one").run().is_successful()
