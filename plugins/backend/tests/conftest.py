from collections.abc import Iterator

import pytest

from penstock_backend.testing import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server
