"""The kernel's contracts, held by this plugin's classes and by the kernel's own results and serializers."""

import uuid
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from penstock.results import Result
from penstock.storage import Storage
from penstock.testing import results
from penstock.testing.results import ResultContract
from penstock.testing.storages import Failing, StorageContract
from penstock_fsspec import FsspecResult, FsspecStorage, Local, LocalResult, testing


class OnFiles(StorageContract):
    lists = True


class InMemory(OnFiles):
    durable = False

    @pytest.fixture
    def failing(self) -> Failing:
        return testing.failing  # type: ignore[return-value]  # of storages


class TestLocal(OnFiles):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return Local(tmp_path / "flows")


class TestLocalInItsDefaultFolder(OnFiles):
    @pytest.fixture
    def storage(self) -> Storage:
        return Local()


class TestStorageOnAMemoryFileSystem(InMemory):
    @pytest.fixture
    def storage(self) -> Storage:
        return FsspecStorage(f"memory://{uuid.uuid4().hex}/flows")


class TestStorageOnAFileURL(OnFiles):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return FsspecStorage(f"file://{tmp_path}/flows")


class TestStorageInLayers(InMemory):
    @pytest.fixture
    def storage(self, monkeypatch: pytest.MonkeyPatch) -> Storage:
        monkeypatch.setenv("PENSTOCK_SECRETS__KEY", Fernet.generate_key().decode())
        return Storage.resolve(f"memory://{uuid.uuid4().hex}/flows | zstd | fernet:KEY")


class TestLocalResult(ResultContract):
    @pytest.fixture
    def result(self, tmp_path: Path) -> Result:
        return LocalResult(tmp_path / "results")


class TestResultOnAMemoryFileSystem(ResultContract):
    durable = False

    @pytest.fixture
    def failing(self) -> results.Failing:
        return testing.failing  # type: ignore[return-value]  # of results

    @pytest.fixture
    def result(self) -> Result:
        return FsspecResult(f"memory://{uuid.uuid4().hex}/results")


class TestResultOnAFileURL(ResultContract):
    @pytest.fixture
    def result(self, tmp_path: Path) -> Result:
        return FsspecResult(f"file://{tmp_path}/results")


class TestResultInLayers(ResultContract):
    @pytest.fixture
    def result(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
        monkeypatch.setenv("PENSTOCK_SECRETS__KEY", Fernet.generate_key().decode())
        return LocalResult(tmp_path / "results", layers=["zstd", "fernet:KEY"])
