"""`flow.run(progress=True)` where there is no terminal, as in a notebook or a log."""

import io
import logging
import re
import threading
from contextlib import redirect_stdout

import pytest

from penstock import Flow, Parameter, task
from penstock.logs import NARRATION


@task
def measure(number: int) -> int:
    if number < 0:
        raise ValueError("below zero")
    return number


def measuring(name: str = "measuring") -> Flow:
    with Flow(name) as flow:
        measure.map(Parameter("numbers", default=[1, 2]))
    return flow


def said(text: str) -> list[str]:
    """Return lines without their times."""
    return [re.sub(r"^[\d:]+  | in [\d.]+ s", "", line) for line in text.splitlines()]


def test_without_a_terminal_there_is_a_line_per_task_and_a_summary() -> None:
    screen = io.StringIO()
    with redirect_stdout(screen):
        assert measuring().run(progress=True).is_successful()
    assert said(screen.getvalue()) == [
        "measuring  Running",
        "measure  Mapped",
        "measuring  Success",
        "measuring ✓ success   2 task runs",
    ]


def test_a_failure_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert measuring().run(numbers=[1, -2], progress=True).is_failed()
    lines = said(capsys.readouterr().out)
    assert "measuring ✗ failed: 1 of 2 measure failed" in lines
    assert any(line.startswith("  measure[1]  ValueError: below zero") for line in lines)


def test_a_run_that_cannot_begin_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no parameter"):
        measuring().run(other=1, progress=True)
    assert capsys.readouterr().out == ""


def test_a_run_inside_a_run_is_not_taken_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    inner = measuring("inner")

    @task
    def nested() -> bool:
        return inner.run(progress=True).is_successful()

    with Flow("outer") as outer:
        nested()
    assert outer.run(progress=True).is_successful()
    assert said(capsys.readouterr().out) == [
        "outer  Running",
        "nested  Running",
        "inner  Running",
        "measure  Mapped",
        "inner  Success",
        "inner ✓ success   2 task runs",
        "nested  Success",
        "outer  Success",
        "outer ✓ success   1 task run",
    ]


def test_runs_of_several_threads_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    flows = [measuring(f"flow {number}") for number in range(4)]
    threads = [threading.Thread(target=flow.run, kwargs={"progress": True}) for flow in flows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = said(capsys.readouterr().out)
    assert [lines.count(f"flow {n} ✓ success   2 task runs") for n in range(4)] == [1, 1, 1, 1]
    assert lines.count("measure  Mapped") == 4
    assert logging.getLogger(NARRATION).level == logging.NOTSET
