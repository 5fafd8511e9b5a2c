"""What flows leave with a backend: artifacts beside their runs, and values under keys."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penstock_tasks as ready
from penstock import Flow, Secret, errors, get_backend, settings, task
from penstock.backends import Backend
from penstock.spec import FlowSpec


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    with settings.override({"backend": {"url": f"sqlite:///{tmp_path}/p.db"}}):
        backend = get_backend()
        backend.create_project("shop")
        backend.register_flow(FlowSpec(name="sales"), project="shop")
        yield backend
        backend.close()


@pytest.fixture
def run(backend: Backend) -> str:
    return backend.create_flow_run("shop", "sales").id


@task(max_retries=1, retry_delay=0)
def report(region: str, attempts: list[str]) -> None:
    ready.create_markdown_artifact(f"# {region}")
    ready.create_link_artifact("https://example.com/a b".replace(" ", "%20"), title="More")
    ready.create_link_artifact("https://example.com/b")
    ready.create_image_artifact("s3://bucket/plot.png", key="plot")
    rows: list[dict[str, Any]] = [{"a": 1, "b": None}, {"a": {2}, "b": float("nan"), "c": 2.5}]
    ready.create_table_artifact(rows)
    key = ready.create_progress_artifact(0, key="work")
    ready.update_progress_artifact(key, 50.5)
    attempts.append(region)
    if attempts.count(region) == 1:
        raise ValueError("try again")


def test_a_task_keeps_artifacts_of_every_type_once_however_often_it_is_tried(backend: Backend, run: str) -> None:
    with Flow("sales") as flow:
        report("north", [])
    assert flow.run(run_id=run).is_successful()
    assert {one.name: one.data for one in backend.list_documents("artifact", run)} == {
        "report-1-markdown-1": {"type": "markdown", "markdown": "# north", "task": "report-1"},
        "report-1-link-1": {"type": "link", "link": "https://example.com/a%20b", "title": "More", "task": "report-1"},
        "report-1-link-2": {"type": "link", "link": "https://example.com/b", "task": "report-1"},
        "plot": {"type": "image", "image": "s3://bucket/plot.png", "task": "report-1"},
        "report-1-table-1": {
            "type": "table", "columns": ["a", "b", "c"], "rows": [[1, None, None], ["{2}", "nan", 2.5]],
            "task": "report-1",
        },
        "work": {"type": "progress", "progress": 50.5, "task": "report-1"},
    }  # fmt: skip


def test_the_value_of_a_secret_is_hidden(backend: Backend, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "mellon-9")

    @task
    def tell() -> None:
        ready.create_markdown_artifact(f"Say {Secret('TOKEN').get()} and enter")

    with Flow("sales") as flow:
        tell()
    assert flow.run(run_id=run).is_successful()
    (found,) = backend.list_documents("artifact", run)
    assert "mellon" not in str(found)
    assert found.data["markdown"].startswith("Say ")


def test_mapped_children_have_artifacts_of_their_own(backend: Backend, run: str) -> None:
    @task
    def note(region: str) -> None:
        ready.create_markdown_artifact(region)

    @task(trigger=lambda _states: True)
    def forget() -> None:
        ready.delete_artifact("note-1[0]-markdown-1")
        ready.delete_artifact("note-1[0]-markdown-1")

    with Flow("sales") as flow:
        forget(upstream_tasks=[note.map(["north", "south"])])
    assert flow.run(run_id=run).is_successful()
    (left,) = backend.list_documents("artifact", run)
    assert (left.name, left.data["markdown"], left.data["map_index"]) == ("note-1[1]-markdown-1", "south", 1)


def test_where_nobody_knows_the_run_artifacts_are_only_logged(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    with Flow("sales") as flow:
        report("north", ["north"])
    with caplog.at_level(logging.INFO, "penstock"):
        assert flow.run().is_successful()
        assert "is not kept, as the backend does not know this run" in caplog.text
        with settings.override({"backend": {}}):
            assert flow.run().is_successful()
        assert "is not kept, as no backend is set up: {'type': 'markdown', 'markdown': '# north'" in caplog.text
    assert backend.list_documents("artifact") == []


def test_an_artifact_that_does_not_fit_fails_its_task(backend: Backend, run: str) -> None:
    @task
    def link() -> None:
        ready.create_link_artifact("javascript:alert(1)")

    with Flow("sales") as flow:
        linked = link()
    state = flow.run(run_id=run).result[linked]
    assert isinstance(state.result, errors.DocumentError)
    assert backend.list_documents("artifact") == []
    with pytest.raises(errors.FlowError, match="belongs to a run"):
        ready.create_markdown_artifact("nowhere")


@pytest.mark.usefixtures("backend")
def test_values_are_kept_under_keys() -> None:
    ready.set_key_value("cursor", {"page": 1, "ü": [None]})
    ready.set_key_value("cursor", 2)
    ready.set_key_value("name", "a\0b")
    assert (ready.get_key_value("cursor"), ready.list_keys()) == (2, ["cursor", "name"])
    with pytest.raises(errors.DocumentError, match=r'has no key "cursors". Did you mean cursor\?'):
        ready.get_key_value("cursors")
    assert ready.delete_key("cursor")
    assert not ready.delete_key("cursor")
    with pytest.raises(errors.DocumentError, match="262144"):
        ready.set_key_value("large", "x" * 300_000)
