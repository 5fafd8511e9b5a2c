"""The scenarios, played under an interpreter and an executor, and what differs between two outcomes of one."""

import ast
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
SECONDS: Final = 1800 if "WHOLE" in os.environ else 300
NOTHING: Final = "(nothing)"


def names() -> list[str]:
    """Return the scenarios, read without running anything: `file.function`."""
    return [
        f"{file.stem}.{node.name}"
        for file in sorted((HERE / "flows").glob("*.py"))
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        if any(isinstance(mark, ast.Name) and mark.id == "scenario" for mark in node.decorator_list)
    ]


def play(python: Path, home: Path, executor: str = "in-process", address: str = "", prefix: str = "") -> dict[str, Any]:
    """Return the outcomes of the scenarios under one interpreter, which finds a home of its own.

    They are run by *executor*, of a cluster that of the *address*; only those whose names begin with *prefix*.
    """
    home.mkdir()
    surroundings = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PENSTOCK_HOME": str(home),
        "PENSTOCK_EXECUTOR": executor,
        "PENSTOCK_LOGGING__LEVEL": "CRITICAL",
        "PREFECT__HOME_DIR": str(home),
        "PREFECT__LOGGING__LEVEL": "CRITICAL",
        "PREFECT__FLOWS__CHECKPOINTING": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RAY_AUTH_MODE": "disabled",  # whose token lies in another home
        **({"PENSTOCK_EXECUTOR__ADDRESS": address} if address else {}),
    }
    done = subprocess.run(
        [python, HERE / "run_scenarios.py", prefix],
        env=surroundings, cwd=home, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    outcomes: dict[str, Any] = json.loads(done.stdout)
    return outcomes


def different(there: Any, here: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Return the places at which two outcomes differ, with what stands there in each."""
    if there == here:
        return
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted((there.keys() | here.keys()) - {"trace"}):
            yield from different(there.get(key, NOTHING), here.get(key, NOTHING), f"{path}.{key}" if path else key)
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for position, (one, other) in enumerate(zip(there, here, strict=True)):
            yield from different(one, other, f"{path}[{position}]")
    else:
        yield path, there, here
