"""Logs: what a script sees."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import penstock
from penstock import Flow, task

@task
def hello(name):
    logger = penstock.context.get("logger")
    logger.info("Hello, %s!", name)
    logger.warning("careful", extra={"level_of_care": 3})
    logger.info("keywords", size=5)
    logger.debug("unseen")
    assert logger.name == "penstock.task.hello"
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("caught")

with Flow("greeting") as flow:
    hello.map(["Ada"])
assert flow.run().is_successful()
"""


FAILING = """
import logging

@task
def fail():
    logging.getLogger("penstock.other").warning("not %s", "structlog's", extra={"size": 5})
    raise ValueError("no luck")

with Flow("failing") as flow:
    fail()
assert flow.run().is_failed()
"""

UNPICKLABLE = """
import logging, threading
import penstock
from penstock import Flow, task

@task
def log():
    penstock.context.logger.info("own", lock=threading.Lock())
    logging.getLogger("penstock.other").info("extra", extra={"lock": threading.Lock()})
    penstock.context.logger.error("raised", exc_info=ValueError(threading.Lock()))
    penstock.context.logger.error("nothing was raised", exc_info=True)

with Flow("unpicklable") as flow:
    log()
assert flow.run().is_successful()
"""


def run(tmp_path: Path, script: str, **environ: str) -> str:
    environ = {"PATH": "", "PENSTOCK_HOME": str(tmp_path), **environ}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr


def test_off_a_terminal_each_line_is_an_object(tmp_path: Path) -> None:
    records = [json.loads(line) for line in run(tmp_path, SCRIPT).splitlines()]
    said = [record["event"] for record in records]
    assert said[0] == "Beginning flow run for 'greeting'"
    assert said[2:6] == ["Hello, Ada!", "careful", "keywords", "caught"]
    assert said[-1] == "Flow run SUCCESS: All reference tasks succeeded."
    hello, careful, keywords, caught = records[2:6]
    assert (hello["level"], hello["logger"], hello["task"]) == ("info", "penstock.task.hello", "hello[0]")
    assert (careful["level_of_care"], keywords["size"]) == (3, 5)
    assert "ZeroDivisionError" in caught["exception"]


SLIPS = """
from penstock import Flow, context, task

@task
def slip():
    context.logger.info("%d rows", "three")
    context.logger.info("%s and %s", 1)
    context.logger.info("done: 100%", 5, size=3)

with Flow("slips") as flow:
    slip()
assert flow.run().is_successful()
"""


def test_a_slip_in_a_call_for_the_log_shows_its_text_and_arguments_and_ends_no_task(tmp_path: Path) -> None:
    records = [json.loads(line) for line in run(tmp_path, SLIPS).splitlines()]
    said = [(record["event"], record["positional_args"]) for record in records if "positional_args" in record]
    assert said == [("%d rows", ["three"]), ("%s and %s", [1]), ("done: 100%", [5])]


def test_lines_are_the_same_wherever_a_task_runs(tmp_path: Path) -> None:
    def said(executor: str) -> list[dict[str, object]]:
        written = run(tmp_path, SCRIPT + FAILING, PENSTOCK_EXECUTOR=executor)
        return [{**json.loads(line), "timestamp": ""} for line in written.splitlines()]

    here, elsewhere = said("in-process"), said("processes")
    assert elsewhere == here
    assert [line["task"] for line in here if "exception" in line and "in fail" in str(line["exception"])] == ["fail"]


def test_what_cannot_be_pickled_is_logged_from_a_worker_as_a_text(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run(tmp_path, UNPICKLABLE, PENSTOCK_EXECUTOR="processes").splitlines()]
    own, extra, raised = lines[2:5]
    assert [one["lock"].startswith("<unlocked _thread.lock") for one in (own, extra)] == [True, True]
    assert "cannot be pickled" in raised["exception"]


def test_the_form_can_be_chosen(tmp_path: Path) -> None:
    shown = run(tmp_path, SCRIPT, PENSTOCK_LOGGING__FORMAT="console", PENSTOCK_LOGGING__LEVEL="WARNING")
    assert "[warning" in shown
    assert "careful" in shown
    assert "Hello" not in shown


def test_a_program_with_handlers_of_its_own_keeps_them(tmp_path: Path) -> None:
    shown = run(tmp_path, "import logging\nlogging.basicConfig(format='MINE %(message)s', level=20)\n" + SCRIPT)
    assert all(line.startswith("MINE") for line in shown.splitlines() if "Hello" in line)
    assert shown.count("Hello, Ada!") == 1


def test_handlers_that_a_program_sets_up_later_show_nothing_twice(tmp_path: Path) -> None:
    before = "import logging\nimport penstock.logs\npenstock.logs.get_logger().info('early')\nlogging.warning('root')\n"
    shown = run(tmp_path, before + SCRIPT).splitlines()
    assert shown[1] == "WARNING:root:root"
    said = [json.loads(line)["event"] for line in [shown[0], *shown[2:]]]
    assert said.count("Hello, Ada!") == said.count("early") == 1


PRINTING = """
import structlog
structlog.configure(
    processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
    logger_factory=structlog.PrintLoggerFactory(__import__("sys").stderr),
)
"""


def test_a_program_that_has_configured_structlog_keeps_that_and_penstock_its_own(tmp_path: Path) -> None:
    after = "structlog.get_logger().info('the program', size=3)\n"
    shown = run(tmp_path, PRINTING + after + SCRIPT + after).splitlines()
    assert [shown[0], shown[-1]] == ["event='the program' size=3"] * 2
    assert [json.loads(line)["event"] for line in shown[3:5]] == ["Hello, Ada!", "careful"]


def test_without_a_configuration_of_structlog_its_loggers_do_as_penstocks(tmp_path: Path) -> None:
    shown = run(tmp_path, SCRIPT + "import structlog\nstructlog.get_logger('penstock.mine').info('mine', size=3)\n")
    last = json.loads(shown.splitlines()[-1])
    assert (last["event"], last["size"], last["logger"]) == ("mine", 3, "penstock.mine")


@pytest.mark.parametrize("level", ["ERROR", "CRITICAL"])
def test_nothing_is_shown_below_the_level(level: str, tmp_path: Path) -> None:
    assert "careful" not in run(tmp_path, SCRIPT, PENSTOCK_LOGGING__LEVEL=level)
