"""What users install: the wheels hold what they should, and the kernel alone runs flows."""

import re
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Uv = Callable[..., None]

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


def test_the_kernels_source_distribution_holds_the_kernel_only(build: Uv, tmp_path: Path) -> None:
    build("--package", "penstock", "--sdist", "--out-dir", tmp_path)
    with tarfile.open(next(tmp_path.glob("penstock-*.tar.gz"))) as archive:
        top = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}
    assert top - {".gitignore"} == {"LICENSE", "PKG-INFO", "README.md", "kernel", "pyproject.toml"}
