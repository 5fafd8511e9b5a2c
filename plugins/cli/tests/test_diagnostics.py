"""What `flow.diagnostics()` says, and what it keeps to itself."""

import json
from typing import Any

import pytest

from penstock import Flow, settings, task
from penstock.executors import Executor


@pytest.fixture(autouse=True)
def _alone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENSTOCK_LOGGING__LEVEL", "WARNING")
    monkeypatch.chdir(tmp_path)
    with settings.override():
        yield


@task
def double(x: int) -> int:
    return x * 2


def doubling() -> Flow:
    with Flow("doubling") as flow:
        double(double(1))
    return flow


def test_diagnostics_name_what_is_set_and_never_to_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_EXECUTOR", "threads")
    monkeypatch.setenv("PENSTOCK_EXECUTOR__MY_SECRET", "hidden")
    flow = doubling()
    flow.executor = {"type": "threads", "max_workers": 7}
    flow.result = "s3://user:hidden@bucket"
    with settings.override({"scheduler": {"ahead": 77}}):
        text, more = flow.diagnostics(), json.loads(flow.diagnostics(include_secret_names=True))
    found = json.loads(text)
    assert "hidden" not in text
    assert "77" not in text
    assert found["config_overrides"] == dict.fromkeys(
        ["executor", "executor.type", "home", "logging.level", "scheduler.ahead"], True
    )
    assert found["env_vars"] == ["PENSTOCK_EXECUTOR", "PENSTOCK_HOME", "PENSTOCK_LOGGING__LEVEL"]
    assert "PENSTOCK_EXECUTOR__MY_SECRET" in more["env_vars"]
    assert "executor.my_secret" in more["config_overrides"]
    assert found["flow_information"] == {
        "type": "Flow",
        "tasks": 2,
        "schedule": False,
        "storage": False,
        "executor": {"type": "threads", "max_workers": True},
        "run_config": False,
        "result": {"type": "s3"},
    }
    assert {"platform", "python", "penstock"} <= set(found["system_information"])


def test_diagnostics_know_the_options_of_a_part() -> None:
    flow = doubling()
    executor: Any = Executor.resolve("threads", max_workers=3)
    flow.executor = executor
    information = json.loads(flow.diagnostics())["flow_information"]
    assert information["executor"] == {"type": "threads", "max_workers": True}
