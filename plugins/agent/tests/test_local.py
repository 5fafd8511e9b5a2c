import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.hooks import lookup
from penstock.run_configs import LocalRun, RunConfig
from penstock.run_configs.base import Launch
from penstock_agent.local import LocalProcess, Spare, Spares

from .conftest import until


def test_loading_the_plugin_loads_neither_the_agent_nor_click() -> None:
    code = "import sys, penstock_agent.plugin; print({'penstock_agent.agent', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_local_run_travels_as_a_spec_and_comes_back() -> None:
    config = LocalRun(env={"A": "1"}, working_dir="/tmp", labels={"gpu"})  # noqa: S108 - not used
    assert RunConfig.restore(config.spec()) == config
    assert config.spec().distribution == lookup.catalogued("run_config", "local") == "penstock-agent"


def test_a_spare_that_is_not_needed_ends(tmp_path: Path) -> None:
    spares = Spares([])
    spares.fill()
    first = spares.take()
    assert first is not None
    assert spares.take() is None
    first.close()
    assert first.poll() is not None
    spares.fill()
    spares.fill()
    spares.close()
    assert spares.take() is None


def test_a_spare_ends_when_its_agent_is_gone() -> None:
    code = "import os; from penstock_agent.local import Spare; print(Spare().pid, flush=True); os._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    until(lambda: not Path(f"/proc/{int(done.stdout)}").exists())


def test_a_spare_that_died_is_not_handed_out() -> None:
    spares = Spares([])
    spares.fill()
    spare = spares.take()
    assert spare is not None
    spares._spare = spare
    spare.kill()
    until(lambda: spare.poll() is not None)
    assert spares.take() is None


def test_what_a_process_leaves_running_ends_with_it(tmp_path: Path) -> None:
    script = "sleep 600 & echo $! > left; mv left left-running; exit 7"
    process = LocalProcess(["sh", "-c", script], os.environ, str(tmp_path))
    until((tmp_path / "left-running").exists)
    assert until(process.poll) == 7
    left = int((tmp_path / "left-running").read_text())
    until(lambda: not Path(f"/proc/{left}").exists() or "Z" in Path(f"/proc/{left}/stat").read_text().split(")")[1][:3])


def test_a_variable_that_is_read_when_python_starts_asks_for_a_process_of_its_own() -> None:
    assert LocalRun(env={"COLOUR": "red"}).takes_a_spare()
    for name in ("PYTHONHASHSEED", "PYTHONPATH", "LD_PRELOAD"):
        assert not LocalRun(env={name: "1"}).takes_a_spare()


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(NotADirectoryError, match="/no/such/folder"):
        LocalRun(working_dir="/no/such/folder").start(Launch("id", b"{}"))


def test_a_process_that_is_gone_cannot_be_handed_anything() -> None:
    spare = Spare()
    spare.kill()
    until(lambda: spare.poll() is not None)
    with pytest.raises((OSError, ValueError)):
        spare.hand_over(b"{}")
