"""The kernel's contracts, held by the storage and the result in a bucket."""

import pytest
from cryptography.fernet import Fernet

from penstock.results import Result
from penstock.storage import Storage
from penstock.testing import results
from penstock.testing.results import ResultContract
from penstock.testing.storages import Failing, StorageContract
from penstock_fsspec import testing
from penstock_s3 import S3, S3Result


class InABucket(StorageContract):
    lists = True

    @pytest.fixture
    def failing(self) -> Failing:
        return testing.failing  # type: ignore[return-value]  # of storages


class TestS3(InABucket):
    @pytest.fixture
    def storage(self, bucket: str) -> Storage:
        return S3(bucket)


class TestS3AtAnEndpointBelowAPrefix(InABucket):
    @pytest.fixture
    def storage(self, bucket: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
        monkeypatch.setenv("PENSTOCK_SECRETS__AWS", '{"key": "anybody", "secret": "anything"}')
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        return S3(bucket, prefix="a/b", endpoint_url=endpoint, credentials="AWS")


class TestS3InLayers(InABucket):
    @pytest.fixture
    def storage(self, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
        monkeypatch.setenv("PENSTOCK_SECRETS__KEY", Fernet.generate_key().decode())
        return Storage.resolve(f"s3://{bucket}/flows | zstd | fernet:KEY")


class TestS3Result(ResultContract):
    @pytest.fixture
    def failing(self) -> results.Failing:
        return testing.failing  # type: ignore[return-value]  # of results

    @pytest.fixture
    def result(self, bucket: str) -> Result:
        return S3Result(bucket, prefix="results")
