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

CLOCKS = """
from datetime import UTC, datetime

from penstock import Flow, Parameter, task
from penstock.schedules import Schedule, filters
from penstock.schedules.clocks import DatesClock

first, second = datetime(2090, 1, 2, 6, tzinfo=UTC), datetime(2090, 1, 3, 6, tzinfo=UTC)
clocks = [
    DatesClock([first], parameter_defaults={"name": "Ada"}, labels=["gpu", "big"]),
    DatesClock([first], labels=[]),
    DatesClock([second, datetime(2090, 1, 7, 6, tzinfo=UTC)]),
]
with Flow("clocks", schedule=Schedule(clocks=clocks, filters=[filters.is_weekday])) as flow:
    Parameter("name", default="nobody")()
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
    assert [time["scheduled_time"][-10:] for time in times] == ["T04:30:00Z"] * 2
    assert [(time["parameters"], time["labels"]) for time in times] == [({}, None)] * 2


def test_a_registered_flow_is_previewed(penstock: Callable[..., Any], ticking: Path) -> None:
    penstock("register", "ticking.py", "--project", "tutorial")
    assert len(penstock("schedule", "preview", "tutorial/ticking", "-n", "4").out.splitlines()) == 4
    assert "interval" in penstock("flows", "list").out
    penstock("flows", "pause", "tutorial/ticking")
    assert "paused: interval" in penstock("flows", "list").out


def test_what_each_clock_gives_its_runs_is_previewed(penstock: Callable[..., Any]) -> None:
    Path("clocks.py").write_text(CLOCKS, encoding="utf-8")
    penstock("register", "clocks.py", "--project", "tutorial")
    lines = penstock("schedule", "preview", "tutorial/clocks", "-n", "2").out.splitlines()
    assert [line[4:] for line in lines] == [
        "2090-01-02 06:00:00 UTC  name='Ada'  labels: big, gpu",
        "2090-01-02 06:00:00 UTC  labels: none",
        "2090-01-03 06:00:00 UTC",
    ]
    found = json.loads(penstock("schedule", "preview", "tutorial/clocks", "-n", "1", "--json").out)
    time = "2090-01-02T06:00:00Z"
    assert found == [
        {"scheduled_time": time, "parameters": {"name": "Ada"}, "labels": ["big", "gpu"]},
        {"scheduled_time": time, "parameters": {}, "labels": []},
    ]


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
