import os
import re
import signal
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock import errors
from penstock_cli.demo import command


def run_demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock_cli", "demo", *options], check=False, text=True, capture_output=True
    )


def test_the_demo_takes_a_flow_through_every_part(home: Path) -> None:
    done = run_demo("--limit", "30")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line for line in done.stdout.splitlines() if line.startswith("●")]
    assert [step.split()[1] for step in steps] == ["registered", "created", "started"]
    assert re.search(r"Submitted  Taken by agent demo", done.stdout)
    assert re.search(r"✓ success in \d+\.\d s   35 task runs", done.stdout)
    assert re.search(r"^measure-1 +30 Success", done.stdout, re.MULTILINE)
    folder = Path("penstock-demo")
    assert "Census of Python" in (folder / "census.html").read_text(encoding="utf-8")
    assert (folder / "census.csv").is_file()
    results = [path for path in (folder / "home" / "results").rglob("*") if path.is_file()]
    assert len(results) == 35
    assert not home.exists()
    assert agents_of(folder) == []
    picture = ET.parse(folder / "flow.svg").getroot()  # noqa: S314 - our own file
    assert "#28a745" in ET.tostring(picture, encoding="unicode")
    for line in done.stdout.partition("Try next:\n")[2].splitlines():
        tried(line)


def tried(line: str) -> None:
    """Paste a command into a shell; it has to work."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(["/bin/sh", "-c", line], check=False, text=True, capture_output=True, env=environment)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def agents_of(folder: Path) -> list[str]:
    """Return the command lines of processes that still work in *folder*."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place, words = (process / "cwd").readlink(), (process / "cmdline").read_text(encoding="utf-8")
        except OSError:  # it has ended, or is somebody else's
            continue
        if place == folder.absolute():
            found.append(words)
    return found


def test_the_demo_takes_a_fresh_folder_each_time(tmp_path: Path) -> None:
    assert command._fresh(None).name == "penstock-demo"
    assert command._fresh(None).name == "penstock-demo-2"
    assert command._fresh(tmp_path / "new" / "one").is_dir()


def test_a_folder_that_holds_something_is_refused(penstock: Callable[..., Any], tmp_path: Path) -> None:
    done = penstock("demo", "--folder", str(tmp_path))
    assert done.code == 2
    assert f"The folder {tmp_path} is not empty" in done.err


def test_a_folder_that_cannot_be_made_is_refused(penstock: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = penstock("demo", "--folder", str(tmp_path / "file" / "below"))
    assert done.code == 2
    assert "cannot be made: Not a directory" in done.err


def test_an_agent_that_ends_too_soon_is_said_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "agent.log").write_text("starting\npenstock: no plugin of that name\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"]) as agent:
        agent.wait()
    with pytest.raises(errors.BackendError, match=r"exit code 2\. Its last words:\nstarting\npenstock: no plugin"):
        command._check(agent, tmp_path)


def test_an_interrupt_ends_the_demo_and_its_agent() -> None:
    words = [sys.executable, "-u", "-m", "penstock_cli", "demo", "--limit", "30"]
    with subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        while "Submitted" not in (line := process.stdout.readline()):
            assert line, process.communicate()
        assert agents_of(Path("penstock-demo"))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert agents_of(Path("penstock-demo")) == []
