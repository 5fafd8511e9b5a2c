"""What runs of tasks are called, and where what they print goes."""

from collections.abc import Iterator
from typing import Any

import pytest

import penstock
from penstock import Flow, context, hooks, task


class Watcher:
    """Notes the names that observers are told."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []

    @penstock.hookimpl
    def penstock_task_run_state(self, run: Any, new: Any) -> None:
        self.names.append((run.name, new.type))


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    with hooks.observing(watcher):
        yield watcher


@pytest.mark.parametrize("executor", ["in-process", "threads", "processes"])
@pytest.mark.parametrize("template", ["load[{path}]", lambda path, **_: f"load[{path}]"], ids=["text", "function"])
def test_a_run_is_named_by_its_inputs_if_its_task_says_so(executor: str, template: Any, watcher: Watcher) -> None:
    @task(task_run_name=template)
    def load(path: str) -> str:
        return str(context.task_run_name)

    with Flow("named") as flow:
        loaded = load.map(["2024-03.csv", "2024-04.csv"])
    assert flow.run(executor=executor).result[loaded].result == ["load[2024-03.csv]", "load[2024-04.csv]"]
    assert ("load[2024-03.csv]", "Success") in watcher.names
    assert ("load", "Mapped") in watcher.names


def test_a_run_is_not_named_by_its_values_unasked(watcher: Watcher) -> None:
    @task
    def load(path: str) -> str:
        return str(context.task_full_name)

    with Flow("plain") as flow:
        loaded = load.map(["secret.csv"])
    assert flow.run().result[loaded].result == ["load[0]"]
    assert {name for name, _ in watcher.names} == {"load", "load[0]"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{nothing}",
            "The task_run_name of task 'load', '{nothing}', cannot be filled: KeyError: 'nothing'; known are ",
        ),
        (lambda **_: 1 / 0, "The task_run_name of task 'load', <lambda>, cannot be filled: ZeroDivisionError"),
    ],
    ids=["text", "function"],
)
def test_a_name_that_cannot_be_made_fails_its_task(template: Any, message: str) -> None:
    @task(task_run_name=template)
    def load(path: str) -> str:
        raise AssertionError(path)

    with Flow("unnameable") as flow:
        loaded = load("x")
    assert message in flow.run().result[loaded].message


@pytest.mark.parametrize("executor", ["in-process", "threads", "processes"])
def test_what_a_task_prints_is_logged_if_it_says_so(
    executor: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCK_LOGGING__LEVEL", "INFO")  # for workers in processes of their own

    @task(log_stdout=True)
    def speak(x: int) -> None:
        print(f"first {x}\nsecond {x}")  # noqa: T201 - what is tested
        print("and", end=" ")  # noqa: T201
        print("so on", end="")  # noqa: T201

    @task
    def shout() -> None:
        print("to everybody")  # noqa: T201

    with caplog.at_level("INFO", "penstock"), Flow("speaking") as flow:
        speak.map([1, 2], upstream_tasks=[penstock.unmapped(shout())])
    with caplog.at_level("INFO", "penstock"):
        flow.run(executor=executor)
    for line in ("first 1", "second 1", "first 2", "and so on"):
        assert any(line in record.getMessage() for record in caplog.records), line
    printed = capfd.readouterr().out
    assert "to everybody" in printed
    assert "first" not in printed
