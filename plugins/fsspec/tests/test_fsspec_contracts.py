"""The kernel's contracts, held by this plugin's classes and by the kernel's own results and serializers."""

import uuid
from pathlib import Path

import pytest

from penstock.results import Result
from penstock.storage import Storage
from penstock.testing.results import ResultContract
from penstock.testing.storages import StorageContract
from penstock_fsspec import FsspecResult, FsspecStorage, Local, LocalResult


class TestLocal(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return Local(tmp_path / "flows")


class TestLocalInItsDefaultFolder(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return Local()


class TestStorageOnAMemoryFileSystem(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return FsspecStorage(f"memory://{uuid.uuid4().hex}/flows")


class TestStorageOnAFileURL(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return FsspecStorage(f"file://{tmp_path}/flows")


class TestLocalResult(ResultContract):
    @pytest.fixture
    def result(self, tmp_path: Path) -> Result:
        return LocalResult(tmp_path / "results")


class TestResultOnAMemoryFileSystem(ResultContract):
    durable = False

    @pytest.fixture
    def result(self) -> Result:
        return FsspecResult(f"memory://{uuid.uuid4().hex}/results")


class TestResultOnAFileURL(ResultContract):
    @pytest.fixture
    def result(self, tmp_path: Path) -> Result:
        return FsspecResult(f"file://{tmp_path}/results")
