from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.testing.backends import BackendContract
from penstock_backend import SQLBackend
from penstock_backend.testing import PostgreSQL


class TestSQLite(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[SQLBackend]:
        backend = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
        yield backend
        backend.close()


class TestPostgreSQL(BackendContract):
    @pytest.fixture
    def backend(self, postgresql: PostgreSQL) -> Iterator[SQLBackend]:
        backend = SQLBackend(postgresql.make_database())
        yield backend
        backend.close()
