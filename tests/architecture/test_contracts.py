"""Import contracts hold, and a planted violation of each is caught."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def pristine(root: Path, plugins: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, to plant violations in."""
    copy = tmp_path_factory.mktemp("workspace")
    packages = [
        root / "kernel/penstock",
        *(package for plugin in plugins for package in plugin.glob("penstock_*")),
    ]
    for package in packages:
        shutil.copytree(package, copy / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", copy)
    return copy


@pytest.fixture(scope="session")
def contract_names(workspace: dict[str, Any]) -> dict[str, str]:
    return {entry["id"]: entry["name"] for entry in workspace["tool"]["importlinter"]["contracts"]}


@pytest.fixture
def planted(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "planted")


def test_every_contract_holds(pristine: Path) -> None:
    result = lint_imports(pristine)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("penstock/states.py", "import penstock.flow", "floors"),
        ("penstock/context.py", "def f():\n    from penstock.engine import driver", "floors"),
        ("penstock/storage/__init__.py", "import penstock.executors", "floors"),
        ("penstock/attic.py", "", "floors"),
        ("penstock/flow.py", "import penstock_backend", "kernel-knows-no-plugin"),
        ("penstock/hooks/manager.py", "def f():\n    import penstock_cli", "kernel-knows-no-plugin"),
        ("penstock/spec.py", "import sqlalchemy", "kernel-knows-no-world"),
        ("penstock/tasks.py", "import pytest", "only-testing-knows-pytest"),
        ("penstock_cli/planted.py", "import penstock.engine", "plugins-stay-outside"),
        ("penstock_fsspec/planted.py", "from penstock.hooks import manager", "plugins-stay-outside"),
        ("penstock_agent/planted.py", "import penstock_backend", "plugins-meet-through-hooks"),
    ],
)
def test_a_planted_violation_is_caught(
    planted: Path, contract_names: dict[str, str], module: str, line: str, contract: str
) -> None:
    with (planted / module).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    result = lint_imports(planted)
    assert result.returncode == 1, result.stdout
    assert f"{contract_names[contract]} BROKEN" in result.stdout
