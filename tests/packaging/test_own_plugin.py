"""The plugin of the tutorial, installed as a user installs it, and uninstalled again."""

import re
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
Uv = Callable[..., None]
BLOCK = re.compile(r"```\{code-block\} \w+\n:caption: (\S+)\n\n(.*?)```", re.DOTALL)


def write_tutorial(folder: Path) -> None:
    """Write the files that the tutorial's page shows."""
    page = (ROOT / "docs/tutorial/own-storage.md").read_text(encoding="utf-8")
    for name, content in BLOCK.findall(page):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(content), encoding="utf-8")


def test_a_storage_plugin_is_found_used_and_restored_until_it_is_uninstalled(
    everything: Path, build: Uv, pip: Uv, tmp_path: Path
) -> None:
    write_tutorial(tmp_path)
    build("--wheel", "--out-dir", tmp_path / "dist", tmp_path / "acme")
    (wheel,) = (tmp_path / "dist").glob("acme_penstock-*.whl")
    pip("install", everything, "--no-deps", wheel)

    def penstock(*arguments: str) -> str:
        done = subprocess.run(
            [everything.with_name("penstock"), *arguments],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PENSTOCK_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"},
            check=False,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert re.search(r"vault +acme-penstock 1\.2 +storage: vault", penstock("plugins"))
    penstock("register", "stored.py", "--project", "tutorial")
    (stored,) = [path for path in (tmp_path / "vault").rglob("*") if path.is_file()]
    assert stored.read_text(encoding="utf-8") == (tmp_path / "stored.py").read_text(encoding="utf-8")
    penstock("run", "--flow", "tutorial/stored", "--name", "wise-crane", "--no-wait")
    assert "wise-crane Success" in penstock("agent", "start", "--until-idle")

    pip("uninstall", everything, "acme-penstock")
    penstock("run", "--flow", "tutorial/stored", "--name", "dry-crane", "--no-wait")
    assert "dry-crane Failed" in penstock("agent", "start", "--until-idle")
    assert "pip install acme-penstock" in penstock("runs", "show", "dry-crane")
