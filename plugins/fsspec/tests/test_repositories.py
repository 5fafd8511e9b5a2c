"""Storages that are only read, over a repository in memory."""

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Final

import pytest

from penstock import Flow, errors
from penstock.hooks import observing
from penstock.hooks.markers import hookimpl
from penstock.storage import Storage, load_flows
from penstock.testing.storages import ReadOnlyStorageContract
from penstock_fsspec import packages
from penstock_fsspec.repositories import RepositoryStorage

_COMMITS: Final[dict[str, bytes]] = {}
_BRANCHES: Final[dict[str, str]] = {}


class Shelf(RepositoryStorage):
    """A repository in this process's memory."""

    type: ClassVar[str] = "shelf"

    def repository(self) -> str:
        return "shelf"

    def resolve_ref(self) -> str:
        return _BRANCHES[self.ref or "main"]

    def archive(self, commit: str) -> bytes:
        if commit not in _COMMITS:
            raise errors.FlowNotStoredError(f"There is no commit {commit} on the shelf")
        return _COMMITS[commit]


def push(files: Mapping[str, bytes], branch: str = "main") -> None:
    package = packages.pack([packages.File(f"top/{name}", content) for name, content in files.items()])
    commit = sha256(package).hexdigest()[:40]
    _COMMITS[commit], _BRANCHES[branch] = package, commit


class Plugin:
    @hookimpl
    def penstock_register_storage(self) -> type[Storage]:
        return Shelf


class TestShelf(ReadOnlyStorageContract):
    @pytest.fixture
    def publish(self) -> Callable[[Mapping[str, bytes]], Storage]:
        def published(files: Mapping[str, bytes]) -> Storage:
            push(files)
            return Shelf(path=self.entry)

        return published


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    with observing(Plugin()):
        yield


def pinned(path: str = "flow.py", ref: str | None = None) -> Storage:
    storage = Shelf(path=path, ref=ref)
    storage.add_flow(Flow("shelved"))
    return storage.build()


def test_the_commit_that_a_branch_stands_for_is_pinned() -> None:
    push({"flow.py": b"1"}, "release")
    location = pinned(ref="release").references["shelved"].location
    assert location == f"shelf@{_BRANCHES['release']}"
    push({"flow.py": b"2"}, "release")
    assert pinned(ref="release").references["shelved"].location != location


def test_a_commit_that_is_gone_is_named() -> None:
    push({"flow.py": b"gone"})
    storage = pinned()
    del _COMMITS[_BRANCHES["main"]]
    with pytest.raises(errors.FlowNotStoredError, match=f"no commit {_BRANCHES['main']}"):
        storage.get_flow("shelved")


def test_a_script_here_that_is_not_what_is_registered_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "flow.py"
    script.write_text("from penstock import Flow\nflow = Flow('shelved')\n", encoding="utf-8")
    flow = load_flows(script)["shelved"]
    for content, warned in ((script.read_bytes(), False), (b"another", True)):
        push({"flow.py": content})
        caplog.clear()
        Shelf(path="flow.py").pin(flow)
        assert ("is not the one in shelf at commit" in caplog.text) is warned


def test_an_archive_that_cannot_be_trusted_is_refused_with_the_commit() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../flow.py"))
    _COMMITS["f" * 40], _BRANCHES["main"] = buffer.getvalue(), "f" * 40
    with pytest.raises(errors.StorageError, match=r"shelf at commit ffffffffffff cannot be used: .* leads out of it"):
        pinned()
