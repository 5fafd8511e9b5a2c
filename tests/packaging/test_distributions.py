"""What users install: the wheels hold what they should, and the kernel alone runs flows."""

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

HELLO_FLOW = """
import penstock
from penstock import task, Flow

@task
def say_hello():
    logger = penstock.context.get("logger")
    logger.info("Hello, Cloud!")

with Flow("hello-flow") as flow:
    say_hello()

state = flow.run()
assert state.is_successful()
"""

IMPERATIVE_FLOW = """
from penstock import Task, Flow

ran = []

class DownloadDataset(Task):
    def run(self, data_dir: str):
        ran.append(("download", data_dir))

class TrainModel(Task):
    def run(self, data_dir: str, model_dir: str):
        ran.append(("train", data_dir, model_dir))

class EvaluateModel(Task):
    def run(self, data_dir: str, model_dir: str, metrics_path: str):
        ran.append(("evaluate", data_dir, model_dir, metrics_path))

flow = Flow("My Imperative Flow")
download_dataset, train_model, evaluate_model = DownloadDataset(), TrainModel(), EvaluateModel()

flow.set_dependencies(
    task=evaluate_model,
    upstream_tasks=[train_model],
    keyword_tasks=dict(data_dir="data", model_dir="models", metrics_path="metrics.json"),
)
flow.set_dependencies(
    task=train_model,
    upstream_tasks=[download_dataset],
    keyword_tasks=dict(data_dir="data", model_dir="models"),
)
flow.set_dependencies(task=download_dataset, keyword_tasks=dict(data_dir="data"))

state = flow.run()
assert state.is_successful()
assert ran == [
    ("download", "data"),
    ("train", "data", "models"),
    ("evaluate", "data", "models", "metrics.json"),
]
"""

MISSING_PLUGIN = """
try:
    from penstock.storage import S3
except ImportError as error:
    assert "pip install penstock-s3" in str(error), error
else:
    raise AssertionError("S3 was imported without its plugin")
"""

NOTHING_BUT_THE_KERNEL = """
import sys
import penstock
assert "site-packages" in penstock.__file__, penstock.__file__
assert not [name for name in sys.modules if name.startswith("penstock_")]
"""


def uv(*arguments: str | Path) -> None:
    command = [Path(sys.executable).with_name("uv"), *arguments, "--offline"]
    done = subprocess.run(command, cwd=ROOT, check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def build(*options: str | Path) -> None:
    uv("build", "--no-build-isolation", "--python", sys.executable, *options)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every distribution's wheel by the name of its package."""
    folder = tmp_path_factory.mktemp("wheels")
    build("--all-packages", "--wheel", "--out-dir", folder)
    return {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}


def required_by(found: Distribution, seen: dict[str, Distribution]) -> dict[str, Distribution]:
    """What a distribution needs without any extra, directly and through others."""
    for line in found.requires or []:
        requirement = Requirement(line)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and requirement.name not in seen:
            seen[requirement.name] = distribution(requirement.name)
            required_by(seen[requirement.name], seen)
    return seen


def copy_distribution(found: Distribution, site_packages: Path) -> None:
    for file in found.files or []:
        source = Path(str(found.locate_file(file)))
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site_packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


@pytest.fixture(scope="module")
def kernel_alone(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the kernel's wheel and what it declares, nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site_packages = next(folder.glob("lib/python*/site-packages"))
    for found in required_by(distribution("penstock"), {}).values():
        copy_distribution(found, site_packages)
    python = folder / "bin/python"
    uv("pip", "install", "--no-deps", "--python", python, wheels["penstock"])
    return python


@pytest.mark.parametrize(
    "script",
    [HELLO_FLOW, IMPERATIVE_FLOW, MISSING_PLUGIN, NOTHING_BUT_THE_KERNEL],
    ids=["hello", "imperative", "missing", "alone"],
)
def test_the_kernel_alone_runs(kernel_alone: Path, tmp_path: Path, script: str) -> None:
    file = tmp_path / "script.py"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [kernel_alone, "-W", "error", file],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PENSTOCK_HOME": str(tmp_path / "home")},
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_distribution_has_a_wheel_with_its_package_only(wheels: dict[str, Path]) -> None:
    members = {
        "penstock",
        *(f"penstock_{path.parent.name}" for path in ROOT.glob("plugins/*/pyproject.toml")),
    }
    assert members <= set(wheels)
    for package, path in wheels.items():
        names = zipfile.ZipFile(path).namelist()
        assert f"{package}/py.typed" in names
        foreign = [name for name in names if not re.match(rf"{package}(-[^/]+\.dist-info)?/", name)]
        assert foreign == [], path.name


def test_the_kernels_source_distribution_holds_the_kernel_only(tmp_path: Path) -> None:
    build("--package", "penstock", "--sdist", "--out-dir", tmp_path)
    with tarfile.open(next(tmp_path.glob("penstock-*.tar.gz"))) as archive:
        top = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}
    assert top - {".gitignore"} == {"LICENSE", "PKG-INFO", "README.md", "kernel", "pyproject.toml"}
