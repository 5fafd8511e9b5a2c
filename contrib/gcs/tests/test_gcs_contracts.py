"""The kernel's contracts, held by the storage and the result in a bucket."""

import pytest
from cryptography.fernet import Fernet

from penstock.results import Result
from penstock.storage import Storage
from penstock.testing import results
from penstock.testing.results import ResultContract
from penstock.testing.storages import Failing, StorageContract
from penstock_fsspec import testing
from penstock_gcs import GCS, GCSResult
from penstock_gcs.testing import CloudStorage


class InABucket(StorageContract):
    lists = True

    @pytest.fixture
    def failing(self) -> Failing:
        return testing.failing  # type: ignore[return-value]  # of storages


class TestGCS(InABucket):
    @pytest.fixture
    def storage(self, service: CloudStorage, bucket: str) -> Storage:
        return GCS(bucket, endpoint_url=service.url, anonymous=True)


class TestGCSBelowAPrefixInLayers(InABucket):
    @pytest.fixture
    def storage(self, service: CloudStorage, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
        monkeypatch.setenv("PENSTOCK_SECRETS__KEY", Fernet.generate_key().decode())
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.url)
        monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "access")
        return Storage.resolve(f"gs://{bucket}/all/flows?credentials=TOKEN | zstd | fernet:KEY")


class TestGCSResult(ResultContract):
    @pytest.fixture
    def failing(self) -> results.Failing:
        return testing.failing  # type: ignore[return-value]  # of results

    @pytest.fixture
    def result(self, service: CloudStorage, bucket: str) -> Result:
        return GCSResult(bucket, endpoint_url=service.url, anonymous=True)
