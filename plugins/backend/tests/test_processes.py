"""Several processes on one database at once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penstock.spec import FlowSpec
from penstock_backend import SQLBackend

if TYPE_CHECKING:
    from penstock_backend.testing import PostgreSQL

_SECONDS = 120
_CREATE = """
backend.create_project("tutorial")
made = [backend.create_flow_run("tutorial", "hello", idempotency_key=f"shared-{n}").id for n in range(10)]
made += [backend.create_flow_run("tutorial", "hello").id for n in range(15)]
print(json.dumps(made))
"""
_CLAIM = """
taken = []
while claims := backend.claim(name, limit=3):
    for claim in claims:
        running, done = [{"type": kind, "message": None} for kind in ("Running", "Success")]
        reports = [StateReport(state=state, timestamp=clock.now()) for state in (running, done)]
        backend.report_states(claim.run.id, claim.fence, reports)
        taken.append(claim.run.id)
print(json.dumps(taken))
"""
_HEAD = """
import json, sys
from penstock import clock
from penstock.backends.models import StateReport
from penstock_backend import SQLBackend
url, name = sys.argv[1:]
backend = SQLBackend(url)
sys.stdin.readline()
"""


def _together(url: str, body: str, number: int) -> list[list[str]]:
    """Run *body* in several processes that begin at once; return what each printed."""
    command = [sys.executable, "-c", _HEAD + body, url]
    started = [
        subprocess.Popen(
            [*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for n in range(number)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [(process.communicate(timeout=_SECONDS), process.returncode) for process in started]
    assert [(errors, code) for (_, errors), code in ended] == [("", 0)] * number
    return [json.loads(output) for (output, _), _ in ended]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/penstock.db"


def test_processes_may_make_the_database_at_the_same_time(url: str) -> None:
    _together(url, 'print(json.dumps([backend.create_project("tutorial").id]))', 4)
    backend = SQLBackend(url)
    assert [one.name for one in backend.list_projects()] == ["tutorial"]
    backend.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_create_and_claim_at_once_and_nothing_is_locked_lost_or_taken_twice(
    database: str, url: str, request: pytest.FixtureRequest
) -> None:
    if database == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        url = server.make_database()
    backend = SQLBackend(url)
    backend.create_project("tutorial")
    backend.register_flow(FlowSpec(name="hello"), project="tutorial")
    created = _together(url, _CREATE, 4)
    ids = {run for process in created for run in process}
    assert len(ids) == 10 + 4 * 15
    assert all(process[:10] == created[0][:10] for process in created)

    taken = [run for process in _together(url, _CLAIM, 4) for run in process]
    assert sorted(taken) == sorted(ids)
    assert {run.state.type for run in backend.list_flow_runs(limit=1000)} == {"Success"}
    for run in ids:
        assert [state.type for state in backend.list_states(run)] == ["Scheduled", "Submitted", "Running", "Success"]
    backend.close()


def test_what_was_acknowledged_survives_the_death_of_the_process(url: str) -> None:
    backend = SQLBackend(url)
    backend.create_project("tutorial")
    backend.register_flow(FlowSpec(name="hello"), project="tutorial")
    endless = 'while True: print(backend.create_flow_run("tutorial", "hello").id, flush=True)'
    process = subprocess.Popen(
        [sys.executable, "-c", _HEAD + endless, url, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    acknowledged = [process.stdout.readline().strip() for _ in range(15)]
    process.kill()
    acknowledged += process.stdout.read().split("\n")[:-1]
    process.communicate(timeout=_SECONDS)
    kept = {run.id for run in backend.list_flow_runs(limit=100_000)}
    assert set(acknowledged) <= kept
    assert backend.create_project("other").name == "other"
    backend.close()
