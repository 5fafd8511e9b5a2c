"""What the tests of this plugin share: a folder to import from, which is forgotten afterwards."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from penstock import settings

Install: TypeAlias = Callable[[Mapping[str, bytes]], None]


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Let `$PENSTOCK_HOME` be a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
        patch.chdir(tmp_path)
        with settings.override():
            yield tmp_path / "home"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that writes files into a folder on `sys.path`, as a new process would find them."""
    site, before = tmp_path / "site", set(sys.modules)
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(site / "flows")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # its time of change is too coarse for tests

    def forget() -> None:
        for name in set(sys.modules) - before:
            if str(site) in str(getattr(sys.modules[name], "__spec__", "")):
                del sys.modules[name]
        importlib.invalidate_caches()

    def installed(files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        forget()

    yield installed
    forget()
