import logging
import sys
from collections.abc import Iterator

import pytest

from penstock import logs, redaction
from penstock.context import context
from penstock_agent.capture import LINE_CHARACTERS, Line, capturing


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    taken: list[Line] = []
    with capturing("penstock", taken.append):
        logging.getLogger("penstock").setLevel("INFO")
        yield taken


def test_a_record_becomes_a_line_with_its_task(lines: list[Line]) -> None:
    with context(task_full_name="measure[3]"):
        logging.getLogger("penstock.task.measure").warning("%s of %d", "three", 7)
    (line,) = lines
    assert (line.level, line.logger, line.message) == ("WARNING", "penstock.task.measure", "three of 7")
    assert line.task == "measure[3]"
    assert line.timestamp.utcoffset() is not None


def test_a_record_that_came_from_a_worker_keeps_its_task(lines: list[Line]) -> None:
    logging.getLogger("penstock.task.measure").info("far away", extra={"task_full_name": "measure[9]"})
    assert [line.task for line in lines] == ["measure[9]"]


def test_a_record_of_structlog_is_its_event_and_its_values(lines: list[Line]) -> None:
    event = {"event": "parsed", "path": "a.py", "lines": 3, "level": "info", "logger": "x", "_record": "own"}
    logging.getLogger("penstock.task").info(event)
    assert [line.message for line in lines] == ["parsed path=a.py lines=3"]


def test_a_bound_logger_of_penstock_is_captured(lines: list[Line]) -> None:
    logs.get_logger("penstock.task.x").info("Hello, %s", "you", size=3)
    assert [line.message for line in lines] == ["Hello, you size=3"]


def test_an_exception_is_written_as_frames_and_never_as_source(lines: list[Line]) -> None:
    def fail() -> None:
        raise ValueError("no such thing")  # a comment in the source

    try:
        fail()
    except ValueError:
        logging.getLogger("penstock.task").exception("It failed")
        logging.getLogger("penstock.task").critical({"event": "It failed", "exc_info": sys.exc_info()[1]})
    for line in lines:
        first, *frames, last = line.message.splitlines()
        assert (first, last.strip()) == ("It failed", "ValueError: no such thing")
        assert frames[-1].endswith(" in fail")
        assert "a comment in the source" not in line.message
        assert "raise" not in line.message
    assert len(lines) == 2


@pytest.mark.parametrize("secret", ["", "no such"], ids=["", "secret"])
def test_an_exception_out_of_a_bound_logger_is_written_as_frames_and_never_as_source(
    lines: list[Line], secret: str
) -> None:
    def fail() -> None:
        raise ValueError("no such thing\nat all")  # a comment in the source

    logger = logs.get_logger("penstock.task.x")
    redaction.hide(secret)
    try:
        fail()
    except ValueError as error:
        logger.exception("It failed", exception="mine")
        logger.warning("It failed", exc_info=True, exception="mine")
        logger.warning("It failed", exc_info=error, exception="mine")
    said = "*** thing" if secret else "no such thing"
    for line in lines:
        first, *frames, last, rest = line.message.splitlines()
        assert first.startswith("It failed")
        assert (last, rest) == (f"  ValueError: {said}", "at all")
        assert frames[-1].endswith(" in fail")
        assert "a comment in the source" not in line.message
    assert len(lines) == 3


def test_an_enormous_record_is_cut_and_marked(lines: list[Line]) -> None:
    logging.getLogger("penstock.task").info("x" * (LINE_CHARACTERS + 7))
    assert lines[0].message.endswith("… [cut, 7 more characters]")
    assert len(lines[0].message.encode()) < 1_000_000


def test_a_record_that_cannot_be_written_harms_no_other(
    lines: list[Line], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unwritable:
        def __str__(self) -> str:
            raise RuntimeError

    logger = logging.getLogger("penstock.task")
    monkeypatch.setattr(logging.getLogger("penstock"), "propagate", False)
    logger.info("this %s", Unwritable())
    logger.info("that")
    assert [line.message for line in lines] == ["that"]
    assert "Logging error" in capsys.readouterr().err
