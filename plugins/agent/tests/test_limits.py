"""Limits of labels and tags, on an agent: no more is under way at once than there are slots, and all ends."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from penstock.backends import Backend
from penstock.backends.models import Document
from penstock.storage import load_flows

from .conftest import Running, until

Work = Callable[..., AbstractContextManager[Running]]
_FLOW = """
import time
from pathlib import Path
from penstock import Flow, task
from penstock_tasks import create_markdown_artifact, create_progress_artifact, get_key_value, set_key_value

def ledger(line):
    with open(LEDGER, "a") as file:
        print(line, file=file, flush=True)

@task(tags={"gpu"})
def train(number):
    ledger("+")
    time.sleep(0.2)
    ledger("-")
    return number

@task
def publish(numbers):
    create_markdown_artifact(f"# {sum(numbers)}", key="report")
    key = create_progress_artifact(100)
    set_key_value("total", {"sum": sum(numbers)})
    return key

with Flow("training") as flow:
    publish(train.map(list(range(4))))
"""


@pytest.fixture
def ledger(backend: Backend, tmp_path: Path) -> Path:
    script, ledger = tmp_path / "training.py", tmp_path / "ledger"
    script.write_text(f"LEDGER = {str(ledger)!r}\n{_FLOW}", encoding="utf-8")
    load_flows(script)["training"].register("tutorial")
    return ledger


def most_at_once(ledger: Path) -> int:
    under_way = most = 0
    for line in ledger.read_text(encoding="utf-8").split():
        under_way += 1 if line == "+" else -1
        most = max(most, under_way)
    assert under_way == 0
    return most


def test_tasks_of_all_runs_share_the_slots_of_a_tag(backend: Backend, ledger: Path, working: Work) -> None:
    backend.put_document(Document(kind="limit", scope="tag", name="gpu", data={"slots": 2}))
    asked = {"type": "threads", "max_workers": 4}
    runs = [backend.create_flow_run("tutorial", "training", executor=asked).id for _ in range(2)]
    with working():
        until(lambda: {backend.get_flow_run(run).state.type for run in runs} == {"Success"})
    assert most_at_once(ledger) == 2
    assert backend.list_documents("limit")[0].data["used"] == 0


def test_runs_share_the_slots_of_a_label(backend: Backend, ledger: Path, working: Work) -> None:
    backend.put_document(Document(kind="limit", scope="label", name="db", data={"slots": 1}))
    runs = [backend.create_flow_run("tutorial", "training", labels=["db"]).id for _ in range(3)]
    with working(labels=["db"]):
        until(lambda: {backend.get_flow_run(run).state.type for run in runs} == {"Success"})
    assert most_at_once(ledger) == 1


def test_what_tasks_leave_with_the_backend_from_a_worker_is_there(
    backend: Backend, ledger: Path, working: Work
) -> None:
    run = backend.create_flow_run("tutorial", "training", executor={"type": "processes"}).id
    with working():
        until(lambda: backend.get_flow_run(run).state.type == "Success")
    assert ledger.exists()
    made = {one.name: one.data for one in backend.list_documents("artifact", run)}
    assert made == {
        "report": {"type": "markdown", "markdown": "# 6", "task": "publish-1"},
        "publish-1-progress-1": {"type": "progress", "progress": 100, "task": "publish-1"},
    }
    (total,) = backend.list_documents("value")
    assert (total.name, total.data["value"]) == ("total", {"sum": 6})
