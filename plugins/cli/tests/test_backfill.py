"""Runs for times that have passed: what is planned, what is made, and what is there already."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import clock, get_backend
from penstock.testing.clocks import VirtualClock
from penstock_cli.commands import backfill

NOON = datetime(2026, 3, 30, 12, tzinfo=UTC)
FLOWS = """
from penstock import Flow, Parameter
from penstock.schedules import CronSchedule, Schedule

nightly = CronSchedule("30 2 * * *", timezone="Europe/Berlin", parameter_defaults={"name": "Ada"}, labels=["gpu"])
with Flow("nightly", schedule=Schedule([nightly, "0 0 * * *"])) as flow:
    Parameter("name", default="nobody")()
with Flow("plain") as plain:
    pass
with Flow("minutely", schedule="* * * * *") as minutely:
    pass
"""
RANGE = ("--from", "2026-03-28T00:00Z", "--to", "2026-03-30T00:00Z")


@pytest.fixture(autouse=True)
def flows(penstock: Callable[..., Any]) -> Iterator[None]:
    with clock.use(VirtualClock(NOON)):
        Path("flows.py").write_text(FLOWS, encoding="utf-8")
        assert penstock("register", "flows.py", "--project", "tutorial").code == 0
        yield


def runs() -> list[tuple[str, dict[str, Any], list[str]]]:
    store = get_backend()
    found = store.list_flow_runs("tutorial", limit=2000)
    store.close()
    return sorted((f"{run.scheduled_time:%d %H:%M}", run.parameters, run.labels) for run in found)


def test_the_runs_of_a_range_are_planned_and_made_once(penstock: Callable[..., Any]) -> None:
    planned = penstock("backfill", "tutorial/nightly", *RANGE, "--dry-run")
    assert planned.out.splitlines()[0] == "tutorial/nightly: 5 times, 0 have a run, 5 to make"
    assert runs() == []
    made = penstock("backfill", "tutorial/nightly", *RANGE, "--yes")
    assert "Made 5 runs. See them: penstock runs list --flow tutorial/nightly" in made.out
    ada = {"name": "Ada"}
    assert runs() == [
        ("28 00:00", {}, []),
        ("28 01:30", ada, ["gpu"]),
        ("29 00:00", {}, []),
        ("29 01:00", ada, ["gpu"]),  # 02:30 was skipped
        ("30 00:00", {}, []),
    ]
    again = penstock("backfill", "tutorial/nightly", *RANGE, "--yes")
    assert (again.code, again.out) == (0, "tutorial/nightly: 5 times, 5 have a run, 0 to make\n")
    assert len(runs()) == 5


def test_what_the_scheduler_made_is_not_made_again(penstock: Callable[..., Any]) -> None:
    store = get_backend()
    store.schedule_due(ahead=2)
    store.close()
    clock.sleep(86400)
    done = penstock("backfill", "tutorial/nightly", "--from", "2026-03-30T00:00Z", "--json", "--yes")
    found = [(one["scheduled_time"], one["action"]) for one in json.loads(done.out)]
    assert found == [
        ("2026-03-30T00:00:00Z", "created"),
        ("2026-03-30T00:30:00Z", "created"),
        ("2026-03-31T00:00:00Z", "exists"),
        ("2026-03-31T00:30:00Z", "exists"),
    ]
    assert all(one["run"] for one in json.loads(done.out))


def test_what_was_set_since_or_run_again_changes_nothing(penstock: Callable[..., Any]) -> None:
    assert penstock("backfill", "tutorial/nightly", *RANGE, "--yes").code == 0
    before = runs()
    assert penstock("flows", "set", "tutorial/nightly", "-p", "name=Grace", "--label", "big").code == 0
    store = get_backend()
    run, *_ = store.list_flow_runs("tutorial", "nightly")
    store.cancel_flow_run(run.id)
    store.restart_flow_run(run.id)
    store.close()
    again = penstock("backfill", "tutorial/nightly", *RANGE, "--yes")
    assert again.out.splitlines()[0] == "tutorial/nightly: 5 times, 5 have a run, 0 to make"
    assert runs() == before


def test_two_at_once_make_each_run_once(penstock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = backfill._plan

    def late(*given: Any) -> Any:
        wanted = plain(*given)
        monkeypatch.setattr(backfill, "_plan", plain)
        assert penstock("backfill", "tutorial/nightly", *RANGE, "--yes").code == 0
        return wanted

    monkeypatch.setattr(backfill, "_plan", late)
    assert penstock("backfill", "tutorial/nightly", *RANGE, "--yes").code == 0
    assert len(runs()) == 5


def test_a_range_is_bounded_and_both_ends_are_in_it(penstock: Callable[..., Any]) -> None:
    day = ("backfill", "tutorial/minutely", "--from", "2026-03-30T00:00Z")
    refused = penstock(*day, "--limit", "700", "--yes")
    assert refused.code == 2
    assert "More than 700 runs would be made. Choose a shorter range, or a higher --limit" in refused.err
    century = penstock("backfill", "tutorial/minutely", "--from", "1926-03-30T00:00Z", "--yes")
    assert "More than 1000 runs" in century.err
    few = penstock(*day, "--to", "2026-03-30T00:09Z", "--dry-run")
    assert few.out.splitlines()[0] == "tutorial/minutely: 10 times, 0 have a run, 10 to make"
    assert few.out.splitlines()[-1].startswith("  … and 5 more, the last at 2026-03-30 ")
    assert len(few.out.splitlines()) == 7


def test_without_an_answer_nothing_is_made(penstock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert penstock("backfill", "tutorial/nightly", *RANGE).code == 130
    assert runs() == []


def test_on_a_terminal_it_asks_and_shows_how_far_it_is() -> None:
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "penstock_cli", "backfill", "tutorial/minutely", "--from", "2026-03-01T00:00Z"]
    with subprocess.Popen(
        [*command, "--to", "2026-03-01T00:20Z"], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True
    ) as process:
        os.write(main, b"y\n")
        out, _ = process.communicate(timeout=60)
    os.close(terminal)
    said = os.read(main, 10_000).decode()
    assert process.returncode == 0, said
    assert "Make 21 runs? [y/N]" in said
    assert "Making runs" in said
    assert "100%" in said
    assert "Made 21 runs" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tutorial/plain", *RANGE], "The flow tutorial/plain has no schedule"),
        (["tutorial/nothing", *RANGE], 'has no flow "nothing"'),
        (["plain", *RANGE], "A registered flow is named PROJECT/NAME"),
        (["tutorial/nightly", "--from", "2026-03-29", "--to", "2026-03-28"], "is after --to 2026-03-"),
        (["tutorial/nightly", "--from", "2026-03-29", "--to", "2026-04-28"], "has not come yet"),
        (["tutorial/nightly", "--from", "yesterday"], "is not an ISO 8601 time"),
        (["tutorial/nightly"], "Missing option '--from'"),
    ],
)
def test_what_makes_no_sense_is_refused(penstock: Callable[..., Any], arguments: list[str], complaint: str) -> None:
    done = penstock("backfill", *arguments, "--yes")
    assert done.code == 2
    assert complaint in done.err
    assert runs() == []


def test_a_range_without_times_is_said(penstock: Callable[..., Any]) -> None:
    done = penstock("backfill", "tutorial/nightly", "--from", "2026-03-28T05:00Z", "--to", "2026-03-28T06:00Z", "--yes")
    assert (done.code, done.out) == (0, "The schedule of tutorial/nightly names no time in this range\n")


def test_what_was_missed_before_the_flow_was_registered_can_be_made(penstock: Callable[..., Any]) -> None:
    begin = NOON - timedelta(days=60)
    done = penstock("backfill", "tutorial/nightly", "--from", begin.isoformat(), "--yes", "--json")
    assert len(json.loads(done.out)) == 120
    assert {one["action"] for one in json.loads(done.out)} == {"created"}
