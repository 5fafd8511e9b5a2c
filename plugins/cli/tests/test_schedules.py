import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCHEDULED = """
from datetime import timedelta

from penstock import Flow, task
from penstock.schedules import IntervalSchedule


@task
def tick():
    print("tick", flush=True)


with Flow("ticking", schedule=IntervalSchedule(interval=timedelta(seconds=1))) as flow:
    tick()
"""


@pytest.fixture
def ticking() -> Path:
    """A file with a flow that is due every second."""
    path = Path("ticking.py")
    path.write_text(SCHEDULED, encoding="utf-8")
    return path


def test_an_expression_is_previewed_in_a_zone(penstock: Callable[..., Any]) -> None:
    done = penstock("schedule", "preview", "0 6 * * *", "-n", "3", "--zone", "Europe/Berlin")
    lines = done.out.splitlines()
    assert len(lines) == 3
    assert all(" 06:00:00 CE" in line for line in lines)
    times = json.loads(penstock("schedule", "preview", "30 4 * * *", "-n", "2", "--json").out)
    assert [time[-10:] for time in times] == ["T04:30:00Z"] * 2


def test_a_registered_flow_is_previewed(penstock: Callable[..., Any], ticking: Path) -> None:
    penstock("register", "ticking.py", "--project", "tutorial")
    assert len(penstock("schedule", "preview", "tutorial/ticking", "-n", "4").out.splitlines()) == 4
    assert "interval" in penstock("flows", "list").out
    penstock("flows", "pause", "tutorial/ticking")
    assert "paused: interval" in penstock("flows", "list").out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["schedule", "preview", "0 25 * * *"], 'option "cron" of schedule "cron"'),
        (["schedule", "preview", "0 6 * * *", "--zone", "Mars/Base"], 'There is no time zone "Mars/Base"'),
        (["schedule", "preview", "tutorial/census"], "The flow tutorial/census has no schedule"),
        (["serve", "census.py"], 'Flow "census" has no schedule'),
        (["serve", "nowhere.py"], "nowhere.py cannot be read"),
    ],
)
def test_bad_input_is_refused(
    penstock: Callable[..., Any], registered: str, arguments: list[str], complaint: str
) -> None:
    done = penstock(*arguments)
    assert done.code == 2
    assert complaint in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_flows_are_served_until_the_process_is_told_to_stop(ticking: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-u", "-m", "penstock_cli", "serve", "ticking.py"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert next(lines).startswith("ticking  next 20")
        assert next(lines) == "tick\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in said
