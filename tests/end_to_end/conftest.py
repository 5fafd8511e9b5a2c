"""What the end-to-end tests share: a folder with a home for penstock, and commands run in it."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs a command in *tmp_path*, with a home there; `python` and `penstock` are ours."""

    surroundings = {
        "PENSTOCK_HOME": str(tmp_path / "home"),
        "PENSTOCK_LOGGING__LEVEL": "INFO",
        "PYTHONPATH": str(tmp_path),
    }

    def run_command(*command: str, exits: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        program = {
            "python": [sys.executable],
            "penstock": [str(Path(sysconfig.get_path("scripts"), "penstock"))],
        }[command[0]]
        done = subprocess.run(
            [*program, *command[1:]],
            cwd=tmp_path,
            env={**os.environ, **surroundings, **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == exits, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    return run_command


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a file below *tmp_path*."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file
