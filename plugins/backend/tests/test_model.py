"""Two clients of one database and any course of requests: what the backend says is what a model of a few lines says."""

import tempfile
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from penstock import clock, errors, states
from penstock.backends.models import StateReport
from penstock.spec import FlowSpec, TaskSpec
from penstock_backend import SQLBackend
from penstock_backend.testing import PostgreSQL

ENDS = ("Success", "Failed", "Cancelled", "TimedOut")
HELD = ("Submitted", "Running", "Cancelling")
CLIENTS = st.integers(0, 1)


@dataclass
class Model:
    """What is known of a run."""

    state: str = "Scheduled"
    fence: int = 0
    """What the last claim was given."""
    current: int = 0
    """What reports are taken under."""
    attempt: int = 1
    history: list[str] = field(default_factory=lambda: ["Scheduled"])

    def enter(self, state: str) -> None:
        self.state = state
        self.history.append(state)


class Machine(RuleBasedStateMachine):
    """What clients may do, and what then holds."""

    runs = Bundle("runs")
    url = ""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        url = self.url or f"sqlite:///{Path(self._folder.name)}/penstock.db"
        self.clients = [SQLBackend(url), SQLBackend(url)]
        self.project = f"project-{id(self)}"
        self.clients[0].create_project(self.project)
        spec = FlowSpec(name="hello", tasks=[TaskSpec(slug="say-1", name="say", type="x")])
        self.clients[0].register_flow(spec, project=self.project)
        self.model: dict[str, Model] = {}
        self.keys: dict[str, tuple[str, list[str]]] = {}

    def teardown(self) -> None:
        for run, known in self.model.items():
            assert [one.type for one in self.clients[0].list_states(run)] == known.history
            if known.state in (*HELD, "Scheduled", "Resume", "Paused"):  # nobody else may claim it later
                self.clients[0].set_state(run, states.Cancelled().serialize())
        for client in self.clients:
            client.close()
        self._folder.cleanup()

    @rule(target=runs, client=CLIENTS, key=st.sampled_from([None, "a", "b"]), labels=st.sampled_from([[], ["gpu"]]))
    def create(self, client: int, key: str | None, labels: list[str]) -> str:
        earlier = self.keys.get(key) if key else None
        create = partial(self.clients[client].create_flow_run, self.project, "hello")
        ask = partial(create, labels=labels, idempotency_key=key)
        if earlier is not None and earlier[1] != labels:
            with pytest.raises(errors.ConflictError):
                ask()
            return earlier[0]
        made = ask().id
        if earlier is not None:
            assert made == earlier[0]
            return made
        self.model[made] = Model()
        if key:
            self.keys[key] = (made, labels)
        return made

    @rule(client=CLIENTS, labels=st.sampled_from([(), ("gpu",)]))
    def claim(self, client: int, labels: tuple[str, ...]) -> None:
        for claim in self.clients[client].claim(f"agent-{client}", labels, limit=2):
            known = self.model[claim.run.id]
            assert known.state in ("Scheduled", "Resume")
            assert claim.fence > known.fence
            assert set(claim.run.labels) == set(labels)
            known.fence = known.current = claim.fence
            known.enter("Submitted")

    @rule(run=runs, client=CLIENTS, new=st.sampled_from(["Running", "Paused", *ENDS]), stale=st.integers(0, 2))
    def report(self, run: str, client: int, new: str, stale: int) -> None:
        known = self.model[run]
        fence = known.fence - (stale == 0)
        told = StateReport(state=states.TYPES[new]().serialize(), timestamp=clock.now())
        tell = partial(self.clients[client].report_states, run, fence, [told])
        if fence != known.current:
            with pytest.raises(errors.LeaseLostError):
                tell()
            return
        if known.state in ENDS and new != known.state:
            with pytest.raises(errors.ConflictError):
                tell()
            return
        tell()
        passed_over = known.state == "Cancelling" and new not in ENDS
        if not passed_over and (known.state, new) not in {(one, one) for one in (*ENDS, "Running", "Paused")}:
            known.enter(new)

    @rule(run=runs, client=CLIENTS)
    def cancel(self, run: str, client: int) -> None:
        known = self.model[run]
        self.clients[client].cancel_flow_run(run)
        if known.state in ("Submitted", "Running"):
            known.enter("Cancelling")
        elif known.state not in (*ENDS, "Cancelling"):
            known.enter("Cancelled")

    @rule(run=runs, client=CLIENTS)
    def restart(self, run: str, client: int) -> None:
        known = self.model[run]
        if known.state not in ENDS:
            with pytest.raises(errors.ConflictError):
                self.clients[client].restart_flow_run(run)
            return
        self.clients[client].restart_flow_run(run)
        known.attempt += 1
        known.current += 1
        known.enter("Scheduled")

    @rule(run=runs, client=CLIENTS)
    def approve(self, run: str, client: int) -> None:
        if self.model[run].state == "Paused":
            self.clients[client].set_state(run, states.Resume().serialize())
            self.model[run].current += bool(self.model[run].current)
            self.model[run].enter("Resume")

    @rule(run=runs, client=CLIENTS)
    def lose(self, run: str, client: int) -> None:
        """Let the lease of one run expire, and of no other."""
        known = self.model[run]
        if known.state in HELD:
            self.clients[client].heartbeat(run, known.fence, lease_seconds=-1)
            assert self.clients[1 - client].end_lost_runs() == 1
            known.current += 1
            known.enter("Cancelled" if known.state == "Cancelling" else "Failed")

    @invariant()
    def what_is_said_is_what_the_model_says(self) -> None:
        for run, known in self.model.items():
            for client in self.clients:
                found = client.get_flow_run(run)
                assert (found.state.type, found.attempt) == (known.state, known.attempt)


STEPS: dict[str, Any] = {
    "stateful_step_count": 25, "deadline": None, "suppress_health_check": list(HealthCheck), "database": None,
}  # fmt: skip


def test_two_clients_of_a_file_and_the_model_agree() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=12, **STEPS))


def test_two_clients_of_a_server_and_the_model_agree(postgresql: PostgreSQL) -> None:
    on_server = type("OnServer", (Machine,), {"url": postgresql.make_database()})
    run_state_machine_as_test(on_server, settings=settings(max_examples=8, **STEPS))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_64_requests_at_once_with_one_key_one_makes_a_run(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = database == "postgresql"
    url = request.getfixturevalue("postgresql").make_database() if server else f"sqlite:///{tmp_path}/penstock.db"
    backend = SQLBackend(url)
    backend.create_project("tutorial")
    backend.register_flow(FlowSpec(name="hello"), project="tutorial")
    together, made, refused = threading.Barrier(64), list[str](), list[Exception]()

    def ask(number: int) -> None:
        together.wait()
        try:
            labels = ["same"] if number % 2 else ["other"]
            made.append(backend.create_flow_run("tutorial", "hello", idempotency_key="k", labels=labels).id)
        except errors.ConflictError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (len(made), len(refused)) == (32, 32)
    assert {run.id for run in backend.list_flow_runs(limit=100)} == set(made)
    assert len(set(made)) == 1
    backend.close()
