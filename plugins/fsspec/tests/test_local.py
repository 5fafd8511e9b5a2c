"""Flows and results in folders of this machine."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from penstock import Flow, Secret, clock, errors, task
from penstock.results import Result
from penstock.storage import Source, Storage
from penstock_fsspec import (
    FileSystemResult,
    FileSystemStorage,
    FsspecResult,
    FsspecStorage,
    Local,
    LocalResult,
)


class Broken(MemoryFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """A file system whose client raises errors of its own."""

    protocol = "broken"
    cachable = False

    def pipe_file(self, *args: Any, **options: Any) -> None:
        raise RuntimeError("token expired")

    cat_file = info = pipe_file


class BrokenStorage(FileSystemStorage):
    type: ClassVar[str] = "broken"
    root: ClassVar[str] = "broken://bucket"

    def filesystem(self) -> Broken:
        return Broken()


class BrokenResult(FileSystemResult):
    type: ClassVar[str] = "broken"
    root: ClassVar[str] = "broken://bucket"

    def filesystem(self) -> Broken:
        return Broken()


@pytest.fixture
def source() -> Source:
    return Source("My Flow", b"content", "script", clock.now())


@pytest.fixture
def flow() -> Flow:
    @task
    def nothing() -> None: ...

    with Flow("nothing at all") as made:
        nothing()
    return made


def test_flows_lie_under_their_slug_and_moment(source: Source, home: Path) -> None:
    location = Path(Local().put(source).location)
    assert location.parent == home / "flows/my-flow"
    assert location.name.startswith(f"{source.created:%Y-%m-%dt%H-%M-%S}")
    assert Path(Local("elsewhere").put(source).location).is_relative_to(Path.cwd() / "elsewhere/my-flow")


def test_by_default_no_label_binds_a_flow_to_this_machine() -> None:
    assert Local().labels == set()
    assert Local(labels={"big-disk"}).labels == {"big-disk"}


def test_labels_travel_in_order() -> None:
    names = [f"label-{number}" for number in range(9)]
    storage = Local(labels=reversed(names))
    assert storage.spec().options == {"labels": names}
    assert Storage.restore(storage.spec()) == storage


def test_the_folder_travels_with_a_built_storage(
    flow: Flow, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    storage = Local(stored_as_script=False)
    storage.add_flow(flow)
    spec = storage.build().spec()
    assert spec.options["directory"] == str(home / "flows")
    (tmp_path / "agent").mkdir()
    monkeypatch.chdir(tmp_path / "agent")
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "agent"))
    assert Storage.restore(spec).get_flow("nothing at all").name == "nothing at all"


def test_a_relative_folder_is_the_same_from_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    storage, result = Local("flows"), LocalResult("results")
    monkeypatch.chdir("/")
    assert (storage.root, result.root) == (f"{tmp_path}/flows", f"{tmp_path}/results")
    assert Local("~/flows").root == str(Path("~/flows").expanduser())


def test_results_go_beside_the_flows(home: Path, tmp_path: Path, flow: Flow) -> None:
    assert Local().default_result().options == {"dir": str(home / "results")}
    assert Local(tmp_path / "mine").default_result().options == {"dir": f"{tmp_path}/mine/results"}
    storage = Local(stored_as_script=False)
    storage.add_flow(flow)
    assert storage.build().default_result().options == {"dir": str(home / "results")}
    assert Result.restore(FsspecStorage("memory://x/").default_result()) == FsspecResult("memory://x/results")


def test_results_lie_in_the_home_folder_unless_told_otherwise(home: Path, tmp_path: Path) -> None:
    assert Path(LocalResult().write(1).location).is_relative_to(home / "results")
    assert Path(LocalResult("r", location="{a}/{b}").write(1, a="x", b="y").location) == tmp_path / "r/x/y"


def test_a_folder_that_cannot_be_written_is_named(source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.StorageUnreachableError, match=f"{tmp_path}/file/flows: Not a directory") as caught:
        Local(tmp_path / "file/flows").put(source)
    assert caught.value.exit_code == 3
    with pytest.raises(errors.ResultError, match=f"{tmp_path}/file/results: Not a directory"):
        LocalResult(tmp_path / "file/results").write(1)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_what_a_client_raises_is_explained(source: Source) -> None:
    with pytest.raises(errors.StorageUnreachableError, match="broken://bucket: RuntimeError: token expired"):
        BrokenStorage().put(source)
    with pytest.raises(errors.StorageUnreachableError, match="token expired"):
        BrokenStorage().fetch(source.refer("broken://bucket/x"))
    result = BrokenResult()
    for use in (partial(result.write, 1), partial(result.get, "x"), partial(result.has, "x")):
        with pytest.raises(errors.ResultError, match="broken://bucket: RuntimeError: token expired"):
            use()


def test_a_reference_that_leads_out_of_the_folder_is_not_read(source: Source, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    for location in (f"{tmp_path}/secret", f"{tmp_path}/flows/../secret", "../secret"):
        with pytest.raises(errors.StorageError, match="names nothing inside"):
            Local(tmp_path / "flows").fetch(source.refer(location))


def test_a_script_given_by_path_is_stored(flow: Flow, tmp_path: Path) -> None:
    script = tmp_path / "nothing.py"
    script.write_text("from penstock import Flow\nflow = Flow('nothing at all')\n")
    storage = Local(path=script)
    storage.add_flow(flow)
    reference = storage.build().references[flow.name]
    script.unlink()
    assert reference.format == "script"
    assert storage.get_flow(flow.name).name == flow.name


def test_a_path_without_a_script_is_named(flow: Flow, tmp_path: Path) -> None:
    storage = Local(path=tmp_path / "missing.py")
    storage.add_flow(flow)
    with pytest.raises(
        errors.StorageError, match=r'"nothing at all" is not at .*missing\.py; correct the option "path"'
    ):
        storage.build()


def test_options_that_are_added_to_an_object_take_none_of_its_own_away(tmp_path: Path) -> None:
    plain = Local(tmp_path, package=tmp_path, layers=["zstd"], storage_options={"token": Secret("TOKEN")})
    plain.references = {"a": Source("a", b"", "script", clock.now()).refer("a/1")}
    labelled = Storage.resolve(plain, labels={"here"})
    assert isinstance(labelled, Local)
    assert (labelled.labels, labelled.package) == ({"here"}, tmp_path)
    labelled.labels = set()
    assert labelled == plain


@pytest.mark.parametrize("wrong", [3, ["local"], None])
def test_a_type_that_is_no_text_is_an_error(wrong: object) -> None:
    with pytest.raises(errors.UnknownTypeError, match="No plugin offers a storage"):
        Storage.resolve({"type": wrong})


def test_a_url_is_needed_where_a_url_is_meant() -> None:
    for kind in (FsspecStorage, FsspecResult):
        with pytest.raises(errors.SettingsError, match='option "url"'):
            kind("/not/a/url")


def test_the_package_names_what_it_has() -> None:
    import penstock_fsspec

    assert {getattr(penstock_fsspec, name).__name__ for name in penstock_fsspec.__all__} == set(penstock_fsspec.__all__)
    with pytest.raises(AttributeError, match="Nowhere"):
        _ = penstock_fsspec.Nowhere
