"""What reaches the backend, whatever happens on the way."""

import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stamina

from penstock import clock, errors, states
from penstock.backends import Backend
from penstock.backends.models import Claim, Heartbeat, Log, StateReport
from penstock.engine.runs import FlowRun, TaskRun
from penstock.spec import FlowSpec
from penstock.testing.clocks import VirtualClock
from penstock_agent.capture import Line
from penstock_agent.job import Job
from penstock_agent.reporter import Reporter, metadata
from penstock_agent.shipping import BATCH, NotLentError, Shipper
from penstock_agent.spool import Spool

from .conftest import until


class Faulty:
    """A backend before which calls fail as they are told to, and that counts them."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.faults: list[Exception] = []
        self.batches: list[int] = []
        self.beats = threading.Event()
        self.command: Any = "continue"

    def _fail(self) -> None:
        if self.faults:
            raise self.faults.pop(0)

    def report_states(self, run: str, fence: int, reports: Sequence[StateReport]) -> None:
        self._fail()
        self.batches.append(len(reports))
        self.backend.report_states(run, fence, reports)

    def report_logs(self, run: str, fence: int, logs: Sequence[Log]) -> None:
        self._fail()
        self.backend.report_logs(run, fence, logs)

    def heartbeat(self, run: str, fence: int, *, lease_seconds: float) -> Heartbeat:
        self.beats.set()
        answer = self.backend.heartbeat(run, fence, lease_seconds=lease_seconds)
        return answer.model_copy(update={"command": self.command})


@pytest.fixture
def claim(backend: Backend) -> Claim:
    backend.register_flow(FlowSpec(name="deeds"), project="tutorial")
    backend.create_flow_run("tutorial", "deeds")
    (claim,) = backend.claim("ann")
    return claim


@pytest.fixture
def faulty(backend: Backend) -> Faulty:
    return Faulty(backend)


@pytest.fixture
def stopped() -> threading.Event:
    return threading.Event()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "run-1.jsonl")
    yield spool
    spool.close()


@pytest.fixture
def reporter(faulty: Faulty, claim: Claim, spool: Spool, stopped: threading.Event) -> Iterator[Reporter]:
    job = Job(claim=claim, backend=faulty.backend.spec(), heartbeat_seconds=0.05)
    reporter = Reporter(faulty, job, spool, stopped.set)  # type: ignore[arg-type] # it has what a reporter calls
    with stamina.set_testing(testing=True, attempts=20):  # does not wait between attempts
        reporter.start()
        yield reporter
        reporter.close()


def _flow_run(claim: Claim) -> FlowRun:
    return FlowRun("deeds", {}, claim.run.id)


def _task_run(claim: Claim, index: int | None = None) -> TaskRun:
    return TaskRun(_flow_run(claim), "act", "act-1", frozenset(), index)


def _line(message: str) -> Line:
    return Line(datetime.now(UTC), "INFO", "penstock.task.act", message, "act")


def test_everything_noted_arrives_in_order_and_in_batches(
    reporter: Reporter, faulty: Faulty, backend: Backend, claim: Claim
) -> None:
    for index in range(2 * BATCH):
        reporter.penstock_task_run_state(_task_run(claim, index), states.Success())
        reporter.line(_line(str(index)))
    reporter.close()
    run = claim.run.id
    assert [one.map_index for one in backend.list_task_runs(run, limit=10_000)] == list(range(2 * BATCH))
    lines = backend.list_logs(run, limit=10_000)
    assert [line.message for line in lines] == [str(index) for index in range(2 * BATCH)]
    assert max(faulty.batches) <= BATCH
    assert len(faulty.batches) < BATCH


def test_a_backend_that_is_away_for_a_moment_loses_nothing(
    reporter: Reporter, faulty: Faulty, backend: Backend, claim: Claim
) -> None:
    faulty.faults = [errors.BackendUnreachableError("away") for _ in range(5)]
    reporter.line(_line("one"))
    reporter.flow_state(states.Running())
    reporter.flow_state(states.Success())
    reporter.close()
    assert faulty.faults == []
    assert backend.get_flow_run(claim.run.id).state.type == "Success"
    assert [line.message for line in backend.list_logs(claim.run.id)] == ["one"]
    assert not reporter.lost


def test_who_logs_more_than_is_sent_waits_and_the_spool_stays_bounded(
    reporter: Reporter, faulty: Faulty, backend: Backend, claim: Claim, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_agent.reporter.FULL_BYTES", 20_000)
    monkeypatch.setattr("penstock_agent.reporter.RESTART_BYTES", 10_000)
    faulty.faults = [errors.BackendUnreachableError("away") for _ in range(10)]
    sizes = []
    for number in range(200):
        reporter.line(_line(f"{number} {'x' * 500}"))
        sizes.append(spool.path.stat().st_size)
    reporter.close()
    assert max(sizes) < 21_000
    assert [int(line.message.split()[0]) for line in backend.list_logs(claim.run.id)] == list(range(200))
    assert not reporter.lost


@pytest.fixture
def sent_by_agent(faulty: Faulty, claim: Claim, spool: Spool, stopped: threading.Event) -> Iterator[Reporter]:
    """Return the reporter of a process whose agent sends what is noted; the agent is this one's parent."""
    job = Job(claim=claim, backend=faulty.backend.spec(), agent=os.getppid())
    reporter = Reporter(faulty, job, spool, stopped.set)  # type: ignore[arg-type] # it has what a reporter calls
    reporter.start()
    yield reporter
    reporter.close()


def _agents_part(spool: Spool, backend: Backend, claim: Claim) -> bool:
    """Send what there is, as an agent does; return whether that was all, since the process sends the rest itself."""
    shipper = Shipper(backend, spool, claim.run.id, claim.fence, claim.run.attempt, borrowed=True)
    try:
        shipper.ship()
    except NotLentError:
        return True
    spool.mark(shipper.place)
    return False


@pytest.fixture
def agents_part(spool: Spool, backend: Backend, claim: Claim) -> Iterator[threading.Thread]:
    """Return a thread that does what an agent does, until the process sends itself or has ended."""
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(0.02) and not _agents_part(spool, backend, claim):
            pass

    agent = threading.Thread(target=send)
    yield agent
    ended.set()
    agent.join()


def test_what_an_agent_sends_is_not_sent_by_the_process_which_ends_when_all_was_sent(
    sent_by_agent: Reporter, faulty: Faulty, backend: Backend, claim: Claim, agents_part: threading.Thread
) -> None:
    agents_part.start()
    sent_by_agent.flow_state(states.Running())
    sent_by_agent.line(_line("one"))
    sent_by_agent.close()
    assert faulty.batches == []
    assert [line.message for line in backend.list_logs(claim.run.id)] == ["one"]
    assert backend.get_flow_run(claim.run.id).state.type == "Running"


def test_a_process_whose_agent_stands_still_sends_itself_before_it_ends(
    sent_by_agent: Reporter,
    faulty: Faulty,
    backend: Backend,
    claim: Claim,
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent_by_agent.line(_line("one"))
    assert not _agents_part(spool, backend, claim)
    monkeypatch.setattr("penstock_agent.reporter.STANDSTILL_SECONDS", 0.1)
    sent_by_agent.line(_line("two"))
    sent_by_agent.flow_state(states.Success())
    sent_by_agent.close()
    assert faulty.batches == [1]
    assert [line.message for line in backend.list_logs(claim.run.id)] == ["one", "two"]
    assert backend.get_flow_run(claim.run.id).state.type == "Success"
    assert _agents_part(spool, backend, claim), "an agent that wakes up leaves it alone"


def test_an_agent_that_has_had_nothing_to_send_for_long_does_not_stand_still(
    sent_by_agent: Reporter, faulty: Faulty, backend: Backend, claim: Claim, spool: Spool, agents_part: threading.Thread
) -> None:
    with clock.use(VirtualClock()):
        until(lambda: not _agents_part(spool, backend, claim) and spool.ends_at(spool.place()))
        clock.sleep(60)
        sent_by_agent.flow_state(states.Running())
        agents_part.start()
        sent_by_agent.close()
    assert faulty.batches == []
    assert backend.get_flow_run(claim.run.id).state.type == "Running"


def test_without_its_agent_a_process_goes_on_where_that_had_come_to(
    sent_by_agent: Reporter,
    faulty: Faulty,
    backend: Backend,
    claim: Claim,
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for index in range(10):
        sent_by_agent.penstock_task_run_state(_task_run(claim, index), states.Success())
    _agents_part(spool, backend, claim)
    for index in range(10, 13):
        sent_by_agent.penstock_task_run_state(_task_run(claim, index), states.Success())
    monkeypatch.setattr(os, "getppid", lambda: 1)
    sent_by_agent.close()
    assert sum(faulty.batches) == 3
    assert [one.map_index for one in backend.list_task_runs(claim.run.id)] == list(range(13))


def test_a_spool_that_becomes_long_is_taken_back_by_its_process_which_begins_it_anew(
    sent_by_agent: Reporter,
    backend: Backend,
    claim: Claim,
    spool: Spool,
    agents_part: threading.Thread,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("penstock_agent.reporter.FULL_BYTES", 40_000)
    monkeypatch.setattr("penstock_agent.reporter.RESTART_BYTES", 10_000)
    agents_part.start()
    sizes = []
    for number in range(200):
        sent_by_agent.line(_line(f"{number} {'x' * 500}"))
        sizes.append(spool.path.stat().st_size)
    agents_part.join()
    sent_by_agent.close()
    assert max(sizes) < 42_000
    assert [int(line.message.split()[0]) for line in backend.list_logs(claim.run.id, limit=1000)] == list(range(200))
    assert not sent_by_agent.lost


def test_what_the_backend_acknowledged_is_noted_in_the_spool(reporter: Reporter, spool: Spool) -> None:
    reporter.line(_line("one"))
    reporter.close()
    assert spool.place().lines == 1


def test_a_backend_that_stays_away_ends_the_run(reporter: Reporter, faulty: Faulty, stopped: threading.Event) -> None:
    faulty.faults = [errors.BackendUnreachableError("away") for _ in range(1000)]
    reporter.flow_state(states.Running())
    reporter.close()
    assert reporter.lost
    assert stopped.is_set()


def test_one_refused_state_does_not_take_the_others_with_it(
    reporter: Reporter, backend: Backend, claim: Claim, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger="penstock.agent"):
        for state in (states.Success(), states.Running()):  # the second may not follow the first
            reporter.penstock_task_run_state(_task_run(claim), state)
        reporter.flow_state(states.Success())
        reporter.close()
    assert backend.get_flow_run(claim.run.id).state.type == "Success"
    assert [one.state.type for one in backend.list_task_runs(claim.run.id)] == ["Success"]
    assert "ended as Success" in caplog.text
    assert not reporter.lost


def test_a_lost_lease_stops_the_run_and_nothing_more_is_sent(
    reporter: Reporter, backend: Backend, claim: Claim, stopped: threading.Event
) -> None:
    backend.end_lost_runs(datetime(2100, 1, 1, tzinfo=UTC))
    reporter.flow_state(states.Success())
    reporter.close()
    assert reporter.lost
    assert stopped.is_set()
    assert backend.get_flow_run(claim.run.id).state.type == "Failed"


@pytest.mark.usefixtures("reporter")
def test_the_process_renews_its_own_lease(faulty: Faulty, backend: Backend) -> None:
    assert faulty.beats.wait(30)
    assert backend.end_lost_runs() == 0


@pytest.mark.usefixtures("reporter")
def test_the_process_hears_of_its_cancellation_without_an_agent(faulty: Faulty, stopped: threading.Event) -> None:
    faulty.command = "cancel"
    assert stopped.wait(30)


def test_a_muted_reporter_passes_on_lines_and_no_states(reporter: Reporter, backend: Backend, claim: Claim) -> None:
    reporter.muted = True
    reporter.penstock_task_run_state(_task_run(claim), states.Failed())
    reporter.flow_state(states.Failed())
    reporter.line(_line("cleaning up"))
    reporter.close()
    assert backend.get_flow_run(claim.run.id).state.type == "Submitted"
    assert backend.list_task_runs(claim.run.id) == []
    assert [line.message for line in backend.list_logs(claim.run.id)] == ["cleaning up"]


def test_a_run_of_another_flow_inside_this_one_is_not_reported(
    reporter: Reporter, backend: Backend, claim: Claim
) -> None:
    inner = FlowRun("inner", {})
    reporter.penstock_flow_run_state(inner, states.Success())
    reporter.penstock_task_run_state(TaskRun(inner, "act", "act-1", frozenset(), None), states.Success())
    reporter.close()
    assert backend.get_flow_run(claim.run.id).state.type == "Submitted"
    assert backend.list_task_runs(claim.run.id) == []


def test_metadata_holds_no_value_and_bounds_what_an_exception_says() -> None:
    error = ValueError("x" * 1_000_000)
    context = {"exception": {"type": "ValueError", "message": str(error), "frames": []}}
    data = metadata(states.Failed(str(error), result=error, context=context))
    assert set(data) == {"type", "message", "exception"}
    assert len(data["message"]) < 11_000
    assert len(data["exception"]["message"]) < 11_000
    assert "cut, 990000 more characters" in data["message"]
    assert metadata(states.Success("done", result="a value", cached_inputs={"x": "a value"})) == {
        "type": "Success",
        "message": "done",
    }
