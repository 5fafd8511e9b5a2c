import json
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock import errors
from penstock.backends.models import Document
from penstock.states import Failed, Running


@contextmanager
def beside(action: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread while the block runs."""
    thread = threading.Thread(target=action)
    thread.start()
    yield
    thread.join()


def created(penstock: Callable[..., Any], registered: str, *options: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(penstock("run", "--flow", registered, "--json", *options).out)
    return run


def test_a_run_is_created_with_everything_it_was_asked_for_with(penstock: Callable[..., Any], registered: str) -> None:
    run = created(
        penstock, registered,
        "-p", "limit=2", "--name", "first", "--label", "gpu", "--at", "2031-01-01T00:00Z",
        "--executor", "threads", "-o", "max_workers=2",
    )  # fmt: skip
    assert (run["name"], run["project"], run["flow"], run["version"]) == ("first", "tutorial", "census", 1)
    assert run["parameters"]["limit"] == 2
    assert run["labels"] == ["gpu"]
    assert datetime.fromisoformat(run["scheduled_time"]) == datetime(2031, 1, 1, tzinfo=UTC)
    assert run["executor"] == {"type": "threads", "max_workers": 2}
    assert run["state"]["type"] == "Scheduled"


def test_creating_a_run_says_how_to_watch_it(penstock: Callable[..., Any], registered: str) -> None:
    done = penstock("run", "--flow", registered, "--name", "first")
    assert done.out.splitlines()[0].startswith("Created the run first of tutorial/census, due 20")
    assert done.out.splitlines()[1] == "Watch it: penstock runs wait first"


def test_the_same_key_makes_no_second_run(penstock: Callable[..., Any], registered: str) -> None:
    assert created(penstock, registered, "--key", "k")["id"] == created(penstock, registered, "--key", "k")["id"]
    done = penstock("run", "--flow", registered, "--key", "k", "-p", "limit=9")
    assert done.code == 2
    assert 'idempotency key "k"' in done.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["-p", "limt=3"], 'Flow "census" has no parameter "limt". Did you mean limit?'),
        (["--executor", "threads", "-o", "max_worker=1"], 'executor "threads" has no option "max_worker"'),
        (["--executor", "thread"], 'No plugin offers an executor "thread"'),
    ],
)
def test_bad_input_creates_no_run(penstock: Callable[..., Any], registered: str, options: Any, complaint: str) -> None:
    done = penstock("run", "--flow", registered, *options)
    assert done.code == 2
    assert complaint in done.err
    assert json.loads(penstock("runs", "list", "--json").out) == []


def test_an_executor_that_only_the_agent_has_may_be_asked_for(penstock: Callable[..., Any], registered: str) -> None:
    assert created(penstock, registered, "--executor", "dask", "-o", "address=tcp://a:1")["executor"]["type"] == "dask"


def test_a_run_is_watched_until_it_succeeds(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    with beside(reporter.run):
        done = penstock("runs", "wait", "first")
    assert done.code == 0
    assert "measure  Mapped" in done.out
    assert "measure[1]  measuring 1" in done.out
    assert "first ✓ success in" in done.out.splitlines()[-1]
    assert "3 task runs" in done.out.splitlines()[-1]


def test_a_run_that_failed_says_where_to_look(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    reporter.run(fails=True)
    done = penstock("runs", "wait", "first")
    assert done.code == 1
    assert "first ✗ failed in" in done.out
    assert "  measure[1]  ValueError: null bytes" in done.out
    assert done.out.splitlines()[-2:] == [
        "  rerun only what failed:   penstock runs restart first",
        "  look inside:              penstock runs logs first --task 'measure[1]'",
    ]


def test_watching_as_json_is_an_event_per_line(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    reporter.run()
    events = [json.loads(line) for line in penstock("runs", "wait", "first", "--json").out.splitlines()]
    assert {event["event"] for event in events} == {"flow_run", "task_run", "log"}
    assert events[-1]["state"]["type"] == "Success"
    assert [event["message"] for event in events if event["event"] == "log"] == [f"measuring {n}" for n in range(3)]


def test_watching_quietly_leaves_the_exit_code(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    reporter.run(fails=True)
    done = penstock("runs", "wait", "first", "-q")
    assert (done.code, done.out, done.err) == (1, "", "")


def test_waiting_can_be_given_up(penstock: Callable[..., Any], registered: str) -> None:
    created(penstock, registered, "--name", "first")
    done = penstock("runs", "wait", "first", "--timeout", "0.1")
    assert (done.code, done.out) == (1, "first has not ended after 0.1 s\n")


def test_a_run_that_is_waited_for_in_vain_is_printed_as_json(penstock: Callable[..., Any], registered: str) -> None:
    run = created(penstock, registered, "--name", "first")
    done = penstock("runs", "wait", "first", "--timeout", "0.1", "--json")
    assert done.code == 1
    assert json.loads(done.out) == json.loads(penstock("runs", "list", "--json").out)[0]
    assert json.loads(done.out)["id"] == run["id"]


def test_json_holds_any_text(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    odd = "half a pair \ud800 and é"
    told = ascii(odd)  # for the words of a test that fails
    reporter.backend.put_document(Document(kind="value", name="odd", data={"value": odd}))
    assert ascii(json.loads(penstock("kv", "get", "odd").out)) == told
    assert penstock("kv", "list").out.splitlines()[1].split("  ")[1] == '"half a pair \\ud800 and é"'
    created(penstock, registered, "--name", "first")
    claim = reporter.claim()
    reporter.report(claim, Failed(odd))
    assert ascii(json.loads(penstock("runs", "list", "--json").out)[0]["state"]["message"]) == told
    events = [json.loads(line) for line in penstock("runs", "wait", "first", "--json").out.splitlines()]
    assert ascii(events[-1]["state"]["message"]) == told


def test_it_is_said_once_how_to_start_an_agent_if_nobody_listens(
    penstock: Callable[..., Any], registered: str, reporter: Any
) -> None:
    def notice_and_run() -> None:
        reporter.backend.create_flow_run("tutorial", "census", labels=["other"])
        for run in reporter.backend.list_flow_runs(state="Scheduled"):
            if run.labels == ["gpu"]:
                reporter.backend.cancel_flow_run(run.id)

    created(penstock, registered, "--name", "first", "--label", "gpu")
    timer = threading.Timer(1.5, notice_and_run)
    timer.start()
    done = penstock("runs", "wait", "first")
    timer.join()
    assert done.code == 1
    assert done.err.count("Start one: penstock agent start --label gpu\n") == 1


def test_runs_are_listed_and_filtered(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    reporter.run()
    created(penstock, registered, "--name", "second")
    assert [line.split()[0] for line in penstock("runs", "list").out.splitlines()] == ["RUN", "second", "first"]
    assert [one["name"] for one in json.loads(penstock("runs", "list", "--state", "Success", "--json").out)] == [
        "first"
    ]
    assert [
        one["name"] for one in json.loads(penstock("runs", "list", "--flow", registered, "--limit", "1", "--json").out)
    ] == ["second"]


def test_a_run_is_shown_with_its_tasks(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first", "-p", "limit=3")
    reporter.run(fails=True)
    shown = penstock("runs", "show", "first").out
    assert "state       Failed: Some reference tasks failed." in shown
    assert "parameters  limit=3" in shown
    assert "measure-1  2 Success, 1 Failed" in shown
    assert set(json.loads(penstock("runs", "show", "first", "--json").out)) >= {
        *("id", "name", "project", "flow", "version", "state", "parameters", "labels", "scheduled_time"),
        *("start_time", "end_time", "attempt", "agent", "parent"),
    }


def test_logs_are_printed_of_all_tasks_or_of_one(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    reporter.run()
    said = [line.split("  ", 1)[1] for line in penstock("runs", "logs", "first").out.splitlines()]
    assert said == [f"measure[{n}]  measuring {n}" for n in range(3)]
    assert "measuring 2" in penstock("runs", "logs", "first", "--task", "measure").out
    (one,) = json.loads(penstock("runs", "logs", "first", "--task", "measure[1]", "--json").out)
    assert (one["message"], one["task"], one["sequence"]) == ("measuring 1", "measure[1]", 2)
    assert len(penstock("runs", "logs", "first", "--limit", "2").out.splitlines()) == 2


def test_a_task_whose_name_has_brackets_is_told_from_the_children_of_another(
    penstock: Callable[..., Any], registered: str, reporter: Any
) -> None:
    created(penstock, registered, "--name", "first")
    claim = reporter.claim()
    for number, task in enumerate(("rank", "rank[2]", "rank['k']"), 1):
        reporter.log(claim, number, f"said by {task}", task)
    reporter.report(claim, Running(), "rank['k']")
    reporter.report(claim, Failed("no"), "rank['k']")
    reporter.report(claim, Failed("Some reference tasks failed."))
    of_rank = json.loads(penstock("runs", "logs", "first", "--task", "rank", "--json").out)
    assert [one["message"] for one in of_rank] == ["said by rank", "said by rank[2]"]
    advised = penstock("runs", "wait", "first").out.splitlines()[-1].partition("penstock ")[2]
    assert "said by rank['k']" in penstock(*shlex.split(advised)).out


def test_logs_are_followed_until_the_run_has_ended(
    penstock: Callable[..., Any], registered: str, reporter: Any
) -> None:
    created(penstock, registered, "--name", "first")
    with beside(reporter.run):
        done = penstock("runs", "logs", "first", "--follow", "--json")
    assert [json.loads(line)["message"] for line in done.out.splitlines()] == [f"measuring {n}" for n in range(3)]


def test_a_run_is_cancelled_and_deleted(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    assert penstock("runs", "cancel", "first").out == "first is Cancelled\n"
    assert penstock("runs", "delete", "first").out == "Deleted first of tutorial/census\n"
    with pytest.raises(errors.UnknownRunError):
        reporter.backend.get_flow_run("first")


def test_a_restart_shows_its_plan_first_and_runs_again_what_failed(
    penstock: Callable[..., Any], registered: str, reporter: Any
) -> None:
    created(penstock, registered, "--name", "first")
    reporter.run(fails=True)
    planned = penstock("runs", "restart", "first", "--dry-run").out.splitlines()
    assert planned[0].split() == ["TASK", "USED", "AGAIN", "RUN", "AGAIN"]
    assert planned[1].split() == ["measure-1", "2", "1"]
    assert planned[-1] == "first would be restarted"
    assert reporter.backend.get_flow_run("first").attempt == 1
    plan = json.loads(penstock("runs", "restart", "first", "--from", "measure", "--json").out)
    assert (plan["reused"], plan["again"]["measure-1"], plan["run"]["attempt"]) == ({}, 3, 2)
    done = penstock("runs", "restart", "first")
    assert done.code == 2
    assert "first" in done.err
    assert "Scheduled" in done.err


def test_a_run_that_waits_is_approved_and_no_other(
    penstock: Callable[..., Any], registered: str, reporter: Any
) -> None:
    created(penstock, registered, "--name", "first")
    assert "only one that is Paused" in penstock("runs", "approve", "first").err
    assert penstock("runs", "set-state", "first", "Paused").out == "first is Paused\n"
    assert penstock("runs", "approve", "first", "-m", "looks right").out.startswith("first goes on")
    assert reporter.backend.get_flow_run("first").state.message == "looks right"


def test_states_are_set_by_hand(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    reporter.run(fails=True)
    done = penstock("runs", "set-state", "first", "Success", "--task", "measure[1]", "-m", "by hand")
    assert done.out == "measure[1] of first is Success\n"
    assert penstock("runs", "restart", "first", "--dry-run", "--json").out.count('"measure-1": 3') == 1
    assert penstock("runs", "set-state", "first", "Success").out == "first is Success\n"
    assert "Did you mean Success" in penstock("runs", "set-state", "first", "Succes").err


def test_a_run_that_is_under_way_is_not_deleted(penstock: Callable[..., Any], registered: str, reporter: Any) -> None:
    created(penstock, registered, "--name", "first")
    reporter.claim()
    done = penstock("runs", "delete", "first")
    assert done.code == 2
    assert "penstock runs cancel first" in done.err
