import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_run_is_a_line_per_change_of_state_and_a_summary(penstock: Callable[..., Any], census: Path) -> None:
    done = penstock("run", "census.py", "-p", "limit=2")
    assert done.code == 0
    said = [line.split("  ", 1)[1] for line in done.out.splitlines()[:-1]]
    assert said == [
        *("census  Running", "find  Running", "find  Success"),
        *("measure[0]  Running", "measure[0]  Success", "measure[1]  Running", "measure[1]  Success"),
        *("measure  Mapped", "rank  Running", "rank  Success", "census  Success"),
    ]
    assert done.out.splitlines()[-1].startswith("census ✓ success in 0.")
    assert done.out.splitlines()[-1].endswith("4 task runs")


def test_a_failed_run_says_why_in_the_users_own_terms(penstock: Callable[..., Any], census: Path) -> None:
    done = penstock("run", "census.py", "-p", "bad=1")
    assert done.code == 1
    assert (
        "measure[1]  Retrying  Retrying Task (after attempt 1 of 2): ValueError: source contains null bytes" in done.out
    )
    summary = done.out[done.out.index("census ✗") :].splitlines()
    assert summary[0].endswith(": 1 of 3 measure failed, rank not run")
    assert summary[2] == "  measure[1]  ValueError: source contains null bytes        census.py:17 in measure"
    assert summary[3] == '      raise ValueError("source contains null bytes")'
    assert summary[4] == "  inputs: bad=1, number=1"
    assert summary[-1] == "  see every line and traceback:   penstock run census.py -v"


def test_a_run_that_is_left_waiting_says_for_what(penstock: Callable[..., Any]) -> None:
    Path("flow.py").write_text(
        "from penstock import Flow, task, triggers\n\n@task(trigger=triggers.manual_only)\ndef sign():\n    pass\n\n"
        "with Flow('contract') as flow:\n    sign()\n",
        encoding="utf-8",
    )
    done = penstock("run", "flow.py")
    assert done.code == 1
    assert re.search(r"contract · running in \d\.\d s: sign waits for somebody to let it go on\n", done.out)


LOGIN = """
from penstock import Flow, Secret, task

@task
def ask():
    return Secret("TOKEN").get()

@task
def log_in(token, options):
    raise ValueError(token)

with Flow("login") as flow:
    token = ask()
    log_in(token, {"header": token})
"""


@pytest.mark.parametrize("executor", ["in-process", "processes"])
def test_a_secret_among_the_inputs_is_not_shown(
    penstock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    Path("login.py").write_text(LOGIN, encoding="utf-8")
    monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", f"{'x' * 200}s3cr3t")
    done = penstock("run", "login.py", "--executor", executor)
    assert "inputs: options={'header': '***'}, token='***'" in done.out
    assert "xxx" not in done.out
    assert "s3cr3t" not in done.out


def test_json_is_an_event_per_line(penstock: Callable[..., Any], census: Path) -> None:
    events = [json.loads(line) for line in penstock("run", "census.py", "--json", "-p", "limit=1").out.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["flow_run", "flow_run"]
    assert [event["task"] for event in events if event.get("slug") == "measure-1"] == [
        "measure[0]",
        "measure[0]",
        "measure",
    ]
    child = next(event for event in events if event.get("map_index") == 0 and event["state"]["type"] == "Success")
    assert {key: child[key] for key in ("run", "task", "slug", "attempt")} == {
        "run": "census",
        "task": "measure[0]",
        "slug": "measure-1",
        "attempt": 1,
    }
    assert child["state"]["timestamp"].endswith("+00:00")


@pytest.mark.parametrize("executor", ["in-process", "processes"])
def test_what_tasks_print_does_not_come_between_the_events(
    penstock: Callable[..., Any], greeting: Path, executor: str
) -> None:
    done = penstock("run", "greeting.py", "--json", "-p", "name=Ada", "--executor", executor)
    assert {json.loads(line)["event"] for line in done.out.splitlines()} == {"flow_run", "task_run"}
    assert done.err == "Hello, 'Ada'\n"


def test_a_run_goes_on_when_nobody_reads_what_it_shows_any_more() -> None:
    Path("flow.py").write_text(
        "import time\nfrom pathlib import Path\nfrom penstock import Flow, task\n\n@task\ndef wait():\n"
        "    while not Path('left').exists():\n        time.sleep(0.01)\n\n"
        "@task\ndef leave_word():\n    print('the end')\n    Path('word').touch()\n\n"
        "with Flow('watched') as flow:\n    leave_word(upstream_tasks=[wait()])\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "penstock_cli", "run", "flow.py"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "watched  Running" in process.stdout.readline()
        process.stdout.close()
        Path("left").touch()
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert Path("word").exists()


@pytest.mark.parametrize(("bad", "code"), [("-1", 0), ("1", 1)])
def test_quiet_leaves_the_exit_code_only(penstock: Callable[..., Any], census: Path, bad: str, code: int) -> None:
    done = penstock("run", "census.py", "-q", "-p", f"bad={bad}")
    assert (done.code, done.out, done.err) == (code, "", "")


def test_a_failure_that_utf_8_has_no_words_for_is_shown_all_the_same() -> None:
    lines = ("from penstock import Flow, task", "@task", "def fail():", "    raise ValueError('\\ud800')")
    flow = ("with Flow('odd') as flow:", "    fail()")
    Path("odd.py").write_text("\n".join((*lines, *flow)), encoding="utf-8")
    command = [sys.executable, "-m", "penstock_cli", "run", "odd.py"]
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("ValueError: \\ud800") == 2


def test_what_tasks_log_is_shown_and_what_penstock_says_of_states_is_not(census: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "penstock_cli", "run", "census.py", "-p", "limit=1"],
        check=True,
        text=True,
        capture_output=True,
    )
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["task"]) for line in logged] == [("measuring 0", "measure[0]")]


def test_verbose_shows_every_line_and_traceback(census: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "penstock_cli", "run", "census.py", "-p", "bad=0", "-v"],
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 1
    assert "Beginning flow run" in done.stderr
    assert "Traceback" in done.stderr


def test_a_text_that_looks_like_a_number_stays_a_text_where_one_is_asked_for(
    penstock: Callable[..., Any], greeting: Path
) -> None:
    assert "Hello, '42'" in penstock("run", "greeting.py", "-p", "name=42").out


def test_parameters_come_from_a_file_and_the_command_line_goes_over(penstock: Callable[..., Any], census: Path) -> None:
    Path("given.json").write_text('{"limit": 5, "bad": 0}', encoding="utf-8")
    done = penstock("run", "census.py", "--params", "given.json", "-p", "bad=-1")
    assert done.code == 0
    assert "measure[4]  Success" in done.out


def test_a_flow_is_chosen_by_its_name(penstock: Callable[..., Any], census: Path) -> None:
    both = Path("both.py")
    both.write_text(
        census.read_text(encoding="utf-8") + "\nwith Flow('other') as other:\n    rank([1, 2])\n", encoding="utf-8"
    )
    assert "other ✓ success" in penstock("run", "both.py:other").out


UNFILLED = "from penstock import Flow, task\nflow = Flow('adding')\nflow.add_task(task(lambda x: x, name='add'))\n"
SEVEN = """
from beside_the_flow import NUMBER

from penstock import Flow, task


@task
def seven():
    return NUMBER


with Flow("seven") as flow:
    seven()
"""

REPORTING = """
from pathlib import Path

from penstock import Flow, task


@task
def report():
    return Path("census.html")


with Flow("census") as flow:
    report()
"""


def test_a_file_finds_the_modules_beside_it(penstock: Callable[..., Any]) -> None:
    folder = Path("project")
    folder.mkdir()
    (folder / "beside_the_flow.py").write_text("NUMBER = 7\n", encoding="utf-8")
    (folder / "flow.py").write_text(SEVEN, encoding="utf-8")
    assert penstock("run", "project/flow.py").code == 0


def test_what_the_last_tasks_return_is_named_if_it_is_a_path(penstock: Callable[..., Any]) -> None:
    Path("flow.py").write_text(REPORTING, encoding="utf-8")
    assert penstock("run", "flow.py").out.endswith("1 task run   report: census.html\n")


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_the_executor_and_its_options_are_chosen_on_the_command_line(
    penstock: Callable[..., Any], census: Path, executor: str
) -> None:
    done = penstock("run", "census.py", "--executor", executor, "-o", "max_workers=2")
    assert done.code == 0, done.out


def test_an_option_alone_goes_to_the_executor_that_would_be_used(penstock: Callable[..., Any], census: Path) -> None:
    done = penstock("run", "census.py", "-o", "max_workers=2")
    assert done.code == 2
    assert 'executor "in-process" has no option "max_workers"' in done.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run"], "Name a file, or a registered flow"),
        (["run", "census.py", "--flow", "tutorial/census"], "one of the two"),
        (["run", "census.py", "--label", "gpu"], "--label goes with --flow PROJECT/NAME"),
        (["run", "census.py", "--no-wait"], "--wait/--no-wait goes with --flow PROJECT/NAME"),
        (["run", "nowhere.py"], "The flow file nowhere.py cannot be read: No such file or directory"),
        (["run", "census.py:cnsus"], 'census.py defines no flow "cnsus". Did you mean census?'),
        (["run", "census.py", "-p", "limt=3"], 'Flow "census" has no parameter "limt". Did you mean limit?'),
        (["run", "census.py", "-p", "limit=many"], "parameter \"limit\" must be int; found 'many'"),
        (["run", "census.py", "-p", "limit"], "A parameter is given as NAME=VALUE; found 'limit'"),
        (["run", "greeting.py"], 'Flow "greeting" needs a value for name'),
        (["run", "census.py", "--params", "none.json"], "The parameters file none.json cannot be read"),
        (["run", "census.py", "--params", "census.py"], "The parameters file census.py is not JSON"),
        (["run", "census.py", "--executor", "thread"], 'No plugin offers an executor "thread". Did you mean threads?'),
        (
            ["run", "census.py", "--executor", "threads", "-o", "max_worker=3"],
            'executor "threads" has no option "max_worker". Did you mean max_workers?',
        ),
        (["run", "--flow", "census"], "A registered flow is named PROJECT/NAME; found 'census'"),
        (["run", "--flow", "tutorial/census", "-o", "max_workers=3"], "Say with --executor what"),
        (["run", "--flow", "tutorial/census", "--at", "soon"], "'soon' is not an ISO 8601 time"),
    ],
)
def test_bad_input_is_refused(
    penstock: Callable[..., Any], census: Path, greeting: Path, arguments: list[str], complaint: str
) -> None:
    done = penstock(*arguments)
    assert done.code == 2
    assert complaint in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("x = 1\n", "flow.py defines no flow at module level"),
        (
            "from penstock import Flow\none, two = Flow('one'), Flow('two')\n",
            "flow.py defines several flows: one, two. Name one",
        ),
        ("with Flow(\n", "flow.py cannot be loaded (line 1): SyntaxError"),
        ("\nraise RuntimeError('not today')\n", "flow.py cannot be loaded (line 2): RuntimeError: not today"),
        (UNFILLED, 'in flow "adding" needs a value for x'),
    ],
)
def test_a_file_that_cannot_be_run_is_refused(penstock: Callable[..., Any], source: str, complaint: str) -> None:
    Path("flow.py").write_text(source, encoding="utf-8")
    done = penstock("run", "flow.py")
    assert done.code == 2
    assert complaint in done.err


def test_an_interrupt_ends_a_run_with_130() -> None:
    Path("flow.py").write_text(
        "import time\nfrom penstock import Flow, task\n\n@task\ndef wait():\n    time.sleep(600)\n\n"
        "with Flow('waiting') as flow:\n    wait()\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-u", "-m", "penstock_cli", "run", "flow.py"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        while "wait  Running" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.splitlines()[-1].startswith("waiting ✗ cancelled in ")
    assert "Traceback" not in err
