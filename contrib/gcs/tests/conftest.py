"""What the tests of this plugin share: a home of their own, and one service for each process that runs tests."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock import settings
from penstock_gcs.testing import CloudStorage, serving


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Let `$PENSTOCK_HOME` be a folder of the test, and no credentials be found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
        patch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
        patch.setenv("NO_GCE_CHECK", "true")
        patch.chdir(tmp_path)
        with settings.override():
            yield tmp_path / "home"


@pytest.fixture(scope="session")
def running() -> Iterator[CloudStorage]:
    with serving() as storage:
        yield storage


@pytest.fixture
def service(running: CloudStorage) -> Iterator[CloudStorage]:
    """Return the service as it is when nothing has gone wrong."""
    yield running
    running.bearer, running.rights = None, None
    running.faults.clear()
    running.asked.clear()


@pytest.fixture
def bucket(service: CloudStorage) -> str:
    """Return the name of an empty bucket."""
    name = f"flows-{uuid.uuid4().hex}"
    service.buckets[name] = {}
    return name
