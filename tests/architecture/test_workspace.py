"""Every plugin's folder looks the same, and every tool knows it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest


def project_of(plugin: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))
    return parsed


def test_a_plugin_folder_holds_what_every_plugin_has(plugins: list[Path]) -> None:
    for plugin in plugins:
        package = plugin / f"penstock_{plugin.name}"
        for expected in ("__init__.py", "plugin.py", "py.typed"):
            assert (package / expected).is_file(), f"{package} has no {expected}"
        assert (plugin / "README.md").is_file()
        assert list((plugin / "tests").glob("test_*.py")), f"{plugin} has no tests"


def test_a_plugin_is_named_after_its_folder(plugins: list[Path]) -> None:
    for plugin in plugins:
        project = project_of(plugin)["project"]
        assert project["name"] == f"penstock-{plugin.name}"
        assert project["entry-points"] == {"penstock": {plugin.name: f"penstock_{plugin.name}.plugin"}}
        assert "penstock>=0.1,<0.2" in project["dependencies"]


def test_every_distribution_agrees_on_version_python_and_licence(
    plugins: list[Path], workspace: dict[str, Any]
) -> None:
    shared = ("version", "requires-python", "license")
    kernel = {key: workspace["project"][key] for key in shared}
    for plugin in plugins:
        project = project_of(plugin)["project"]
        assert {key: project[key] for key in shared} == kernel, plugin.name


def test_every_plugin_has_an_extra(plugins: list[Path], workspace: dict[str, Any]) -> None:
    extras = workspace["project"]["optional-dependencies"]
    assert set(extras) == {plugin.name for plugin in plugins} | {"standard", "all"}
    for plugin in plugins:
        assert extras[plugin.name] == [f"penstock-{plugin.name}"]


def test_everything_lists_every_plugin(plugins: list[Path], workspace: dict[str, Any]) -> None:
    covered = {name.partition("[")[2].rstrip("]") for name in workspace["project"]["optional-dependencies"]["all"]}
    assert "standard" in covered
    standard = {plugin.name for plugin in plugins if plugin.parent.name == "plugins"}
    named = workspace["project"]["optional-dependencies"]["standard"]
    assert {name.removeprefix("penstock-") for name in named} | covered >= standard


@pytest.mark.parametrize(
    "path",
    [
        "coverage.run.source_pkgs",
        "importlinter.root_packages",
        "ruff.lint.isort.known-first-party",
    ],
)
def test_a_tool_knows_every_package(path: str, plugins: list[Path], workspace: dict[str, Any]) -> None:
    listed: Any = workspace["tool"]
    for key in path.split("."):
        listed = listed[key]
    assert sorted(listed) == sorted(["penstock", *(f"penstock_{plugin.name}" for plugin in plugins)])


def test_the_contracts_hold_for_every_plugin(plugins: list[Path], workspace: dict[str, Any]) -> None:
    contracts = {entry["id"]: entry for entry in workspace["tool"]["importlinter"]["contracts"]}
    packages = {f"penstock_{plugin.name}" for plugin in plugins}
    assert set(contracts["kernel-knows-no-plugin"]["forbidden_modules"]) == packages
    bases = {"penstock_executors", "penstock_fsspec"}  # of those on clusters, and on file systems
    assert set(contracts["plugins-meet-through-hooks"]["modules"]) == packages - bases
    assert set(contracts["plugins-stay-outside"]["source_modules"]) == packages - {"penstock_agent"}


def test_the_workspace_builds_every_plugin_from_its_folder(plugins: list[Path], workspace: dict[str, Any]) -> None:
    sources = workspace["tool"]["uv"]["sources"]
    assert sources == {f"penstock-{plugin.name}": {"workspace": True} for plugin in plugins}


def test_pins_name_no_address_and_no_path(root: Path) -> None:
    pins = [line for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert pins
    for pin in pins:
        assert "==" in pin
        assert not pin.startswith(("-", "."))
        assert "://" not in pin
        assert not pin.startswith("penstock")
