"""Every kernel test has a home of its own for penstock, settings of its own, and logs above INFO."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock import settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "home"
    monkeypatch.setenv("PENSTOCK_HOME", str(folder))
    monkeypatch.setenv("PENSTOCK_LOGGING__LEVEL", "WARNING")
    monkeypatch.setattr(logging.getLogger("penstock"), "level", logging.WARNING)
    monkeypatch.chdir(tmp_path)
    with settings.override():
        yield folder
