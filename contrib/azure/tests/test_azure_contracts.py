"""The kernel's contracts, held by the storage and the result in a container."""

import pytest
from cryptography.fernet import Fernet

from penstock.results import Result
from penstock.storage import Storage
from penstock.testing import results
from penstock.testing.results import ResultContract
from penstock.testing.storages import Failing, StorageContract
from penstock_azure import Azure, AzureResult
from penstock_fsspec import testing


class InAContainer(StorageContract):
    lists = True

    @pytest.fixture
    def failing(self) -> Failing:
        return testing.failing  # type: ignore[return-value]  # of storages


class TestAzure(InAContainer):
    @pytest.fixture
    def storage(self, container: str, connection: str) -> Storage:
        return Azure(container, connection)


class TestAzureBelowAPrefixInLayers(InAContainer):
    @pytest.fixture
    def storage(self, container: str, connection: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
        monkeypatch.setenv("PENSTOCK_SECRETS__KEY", Fernet.generate_key().decode())
        return Storage.resolve(f"az://{container}/all/flows?connection_string_secret={connection} | zstd | fernet:KEY")


class TestAzureResult(ResultContract):
    @pytest.fixture
    def failing(self) -> results.Failing:
        return testing.failing  # type: ignore[return-value]  # of results

    @pytest.fixture
    def result(self, container: str, connection: str) -> Result:
        return AzureResult(container, connection)
