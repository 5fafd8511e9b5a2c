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
    assert [(time["parameters"], time["labels"], time["marks"]) for time in times] == [({}, None, [])] * 2


def test_text_of_any_form_is_previewed_in_its_own_zone_unless_another_is_asked_for(
    penstock: Callable[..., Any],
) -> None:
    def preview(*arguments: str) -> list[str]:
        lines: list[str] = penstock("schedule", "preview", *arguments, "--after", "2026-07-01T00:05Z").out.splitlines()
        return lines

    assert preview("0 6 * * 1-5 Europe/Berlin", "-n", "1") == ["Wed 2026-07-01 06:00:00 CEST"]
    assert preview("0 6 * * 1-5 Europe/Berlin", "-n", "1", "--zone", "UTC") == ["Wed 2026-07-01 04:00:00 UTC"]
    assert preview("0 6 * * 1-5", "-n", "1", "--zone", "Asia/Tokyo") == ["Thu 2026-07-02 06:00:00 JST"]
    assert preview("every 10 minutes", "-n", "2")[1] == "Wed 2026-07-01 00:20:00 UTC"


@pytest.mark.parametrize(
    "text",
    [
        "DTSTART;TZID=Europe/Berlin:20260101T023000\nRRULE:FREQ=DAILY",
        "DTSTART;TZID=Europe/Berlin:20260101T023000 RRULE:FREQ=DAILY",
    ],
)
def test_rules_of_a_calendar_in_a_zone_are_no_flow(penstock: Callable[..., Any], text: str) -> None:
    done = penstock("schedule", "preview", text, "-n", "1", "--after", "2026-07-01T12:00Z")
    assert done.out.splitlines() == ["Thu 2026-07-02 02:30:00 CEST"], done.err


def test_a_rule_that_never_comes_is_refused(penstock: Callable[..., Any]) -> None:
    rule = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
    done = penstock("schedule", "preview", f"DTSTART:20260101T000000 RRULE:{rule}")
    assert (done.code, done.out) == (2, "")
    assert f"{rule} never comes" in done.err


def test_hours_that_clocks_skip_and_repeat_are_marked(penstock: Callable[..., Any]) -> None:
    forward = penstock("schedule", "preview", "30 2 * * * Europe/Berlin", "--after", "2026-03-28T00:00Z", "-n", "3")
    assert forward.out.splitlines() == [
        "Sat 2026-03-28 02:30:00 CET",
        "    clocks go forward: 02:00 to 03:00 is skipped",
        "Sun 2026-03-29 03:00:00 CEST  (02:30 is skipped, clocks go forward)",
        "Mon 2026-03-30 02:30:00 CEST",
    ]
    back = ("schedule", "preview", "*/30 2 * * * Europe/Berlin", "--after", "2026-10-25T00:00Z", "-n", "3")
    assert penstock(*back).out.splitlines() == [
        "Sun 2026-10-25 02:30:00 CEST  (the first of two, clocks go back)",
        "    clocks go back: 02:00 to 03:00 is repeated",
        "Sun 2026-10-25 02:00:00 CET  (the second of two, clocks go back)",
        "Sun 2026-10-25 02:30:00 CET  (the second of two, clocks go back)",
    ]
    first = json.loads(penstock(*back, "--json").out)[0]
    assert first["marks"] == [{"kind": "repeated", "words": "the first of two, clocks go back"}]
    assert (first["local_time"], first["zone"]) == ("2026-10-25T02:30:00+02:00", "Europe/Berlin")


def test_times_that_are_left_out_show_why(penstock: Callable[..., Any]) -> None:
    source = """
from penstock import Flow
from penstock.schedules import CronSchedule, Schedule

with Flow("nightly", schedule=CronSchedule("30 2 * * *", timezone="Europe/Berlin", gap="skip")) as flow:
    pass
with Flow("moved", schedule=Schedule(["0 9 * * 6 Europe/Berlin"], adjustments=["next_weekday"])) as moved:
    pass
"""
    Path("nightly.py").write_text(source, encoding="utf-8")
    assert penstock("register", "nightly.py", "--project", "tutorial").code == 0
    preview = ("schedule", "preview", "--after", "2026-03-28T02:00Z", "-n", "1")
    assert penstock(*preview, "tutorial/nightly").out.splitlines() == [
        "    clocks go forward: 02:00 to 03:00 is skipped",
        "Mon 2026-03-30 02:30:00 CEST",
    ]
    assert penstock(*preview, "tutorial/moved").out.splitlines() == [
        "Mon 2026-03-30 09:00:00 CEST  (moved from Sat 2026-03-28 09:00)",
    ]


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
    when = {"scheduled_time": "2090-01-02T06:00:00Z", "local_time": "2090-01-02T06:00:00+00:00", "zone": "UTC"}
    assert found == [
        {**when, "parameters": {"name": "Ada"}, "labels": ["big", "gpu"], "marks": []},
        {**when, "parameters": {}, "labels": [], "marks": []},
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["schedule", "preview", "0 25 * * *"], 'option "cron" of schedule "cron"'),
        (["schedule", "preview", "0 6 * * *", "--zone", "Mars/Base"], 'There is no time zone "Mars/Base"'),
        (["schedule", "preview", "evry 10 minutes"], "No schedule is written 'evry 10 minutes'; expected one of"),
        (["schedule", "preview", "0 0 6 * * 1"], "it has 6 fields; expected 5"),
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


def test_a_run_that_waits_past_its_time_is_shown_as_late(penstock: Callable[..., Any], registered: str) -> None:
    penstock("run", "--flow", registered, "--at", "2026-01-01T06:00Z", "--no-wait")
    penstock("run", "--flow", registered, "--at", "2090-01-01T06:00Z", "--no-wait")
    states = [line.split()[2] for line in penstock("runs", "list").out.splitlines()[1:]]
    assert sorted(states) == ["Late", "Scheduled"]
    (late,) = json.loads(penstock("runs", "list", "--state", "Late", "--json").out)
    assert (late["late"], late["state"]["type"]) == (True, "Scheduled")
    assert "Scheduled, and late" in penstock("runs", "show", late["name"]).out


def test_every_flow_of_a_file_that_has_a_schedule_is_served(penstock: Callable[..., Any]) -> None:
    source = """
from datetime import UTC, datetime, timedelta

from penstock import Flow, task
from penstock.schedules import IntervalSchedule


@task
def tick(name):
    print(f"{name}\\n", end="")  # in one piece: two flows run at once


with Flow("unscheduled") as unscheduled:
    tick("never")
until = datetime.now(UTC) + timedelta(seconds=1.5)
for name in ("one", "other"):
    with Flow(name, schedule=IntervalSchedule(interval=timedelta(seconds=1), end_date=until)) as vars()[name]:
        tick(name)
"""
    Path("several.py").write_text(source, encoding="utf-8")
    served = penstock("serve", "several.py")
    assert (served.code, served.err) == (0, "")
    lines = served.out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["one", "other"]
    assert set(lines[2:]) == {"one", "other"}


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
