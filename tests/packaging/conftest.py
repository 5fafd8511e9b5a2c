"""What the packaging tests share: the wheels, and environments that hold them and what they declare."""

import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
Uv = Callable[..., None]


def uv(*arguments: str | Path) -> None:
    command = [Path(sys.executable).with_name("uv"), *arguments, "--offline"]
    done = subprocess.run(command, cwd=ROOT, check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def build() -> Uv:
    """Return a function that builds distributions, without a network."""

    def run_build(*options: str | Path) -> None:
        uv("build", "--no-build-isolation", "--python", sys.executable, *options)

    return run_build


@pytest.fixture(scope="session")
def wheels(build: Uv, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every distribution's wheel by the name of its package."""
    folder = tmp_path_factory.mktemp("wheels")
    build("--all-packages", "--wheel", "--out-dir", folder)
    return {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}


def required_by(
    found: Distribution, seen: dict[str, Distribution], extras: Iterable[str] = ()
) -> dict[str, Distribution]:
    """What a distribution needs with *extras*, directly and through others."""
    for line in found.requires or []:
        requirement = Requirement(line)
        applies = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": one}) for one in ("", *extras)
        )
        if applies and (requirement.name not in seen or requirement.extras):
            seen[requirement.name] = distribution(requirement.name)
            required_by(seen[requirement.name], seen, requirement.extras)
    return seen


def copy_distribution(found: Distribution, site_packages: Path) -> None:
    for file in found.files or []:
        source = Path(str(found.locate_file(file)))
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site_packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def environment(folder: Path, needed: Iterable[Distribution], wheels: Iterable[Path]) -> Path:
    """Make a virtual environment that holds *needed*, copied from this one, and *wheels*; return its interpreter."""
    venv.create(folder, symlinks=True)
    site_packages = next(folder.glob("lib/python*/site-packages"))
    for found in needed:
        copy_distribution(found, site_packages)
    python = folder / "bin/python"
    uv("pip", "install", "--no-deps", "--python", python, *wheels)
    return python


@pytest.fixture(scope="session")
def kernel_alone(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the kernel's wheel and what it declares, nothing else."""
    needed = required_by(distribution("penstock"), {}).values()
    return environment(tmp_path_factory.mktemp("environment"), needed, [wheels["penstock"]])


@pytest.fixture
def everything(wheels: dict[str, Path], tmp_path: Path) -> Path:
    """The interpreter of an environment that holds every distribution's wheel and what they declare."""
    ours = {package.replace("_", "-") for package in wheels}
    needed: dict[str, Distribution] = {}
    for name in ours:
        required_by(distribution(name), needed)
    others = [found for name, found in needed.items() if name not in ours]
    return environment(tmp_path / "environment", others, wheels.values())


@pytest.fixture
def pip() -> Uv:
    """Return a function that installs or uninstalls in an environment, without a network."""

    def run_pip(command: str, python: Path, *arguments: str | Path) -> None:
        uv("pip", command, "--python", python, *arguments)

    return run_pip
