"""The pages of the reference that are taken from the code say what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from penstock.hooks import specs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["hooks.md", "settings.md", "commands.md", "storages.md"])
def test_a_generated_page_is_current(page: str, reference: ModuleType) -> None:
    written = (ROOT / "docs/reference" / page).read_text(encoding="utf-8")
    assert written == reference.PAGES[page](), "run: .venv/bin/python tools/reference.py"


def test_every_hook_is_documented_with_its_signature(reference: ModuleType) -> None:
    page = reference.hooks()
    for name in [name for name in vars(specs) if name.startswith("penstock_")]:
        assert f"### {name}\n\n```text\n{name}(" in page
