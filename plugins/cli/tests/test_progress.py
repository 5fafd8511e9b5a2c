from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from penstock import Flow, Parameter, clock, flatten, task, unmapped
from penstock.states import Failed, Mapped, Retrying, Running, State, Success, TriggerFailed
from penstock_cli import display, progress
from penstock_cli.progress import Change, Progress, Widths
from penstock_cli.tree import Tree

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Noon(clock.Clock):
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOON


@task
def find(limit: int) -> list[int]:
    return list(range(limit))


@task(max_retries=2, retry_delay=1)
def measure(number: int, factor: int = 1) -> int:
    return number * factor


@task
def rank(numbers: list[int]) -> int:
    return sum(numbers)


def census() -> Flow:
    with Flow("census") as flow:
        rank(measure.map(find(Parameter("limit")), unmapped(2)))
    return flow


def change(state: State, name: str | None = None, index: int | None = None, seconds: float = 0) -> Change:
    slug = f"{name}-1" if name else None
    return Change(state, NOON + timedelta(seconds=seconds), slug, name, index)


def drawn(seen: Progress, height: int = 24) -> list[str]:
    """Return the tree's lines, without style."""
    console = Console(file=StringIO(), width=100, height=height, force_terminal=False, legacy_windows=False)
    with clock.use(Noon()):
        console.print(Tree(seen, console).render())
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_run_that_has_not_begun_shows_its_tasks_and_not_its_parameters() -> None:
    assert drawn(progress.of_flow(census(), "census")) == [
        "census ● waiting  0.0 s",
        "├─ find     ○ waiting",
        "├─ measure  ○ waiting",
        "└─ rank     ○ waiting",
    ]


def test_a_map_is_a_line_with_counts() -> None:
    seen = progress.of_flow(census(), "census")
    again = Retrying(run_count=1, start_time=NOON + timedelta(seconds=1))
    for one in (
        change(Running(), seconds=-3.2),
        change(Running(), "find", seconds=-3),
        change(Success(), "find", seconds=-2.9),
        change(Success(), "measure", 0),
        change(Running(), "measure", 1),
        change(again, "measure", 2),
        change(Running(), "measure", 3),
        change(Failed("no"), "measure", 3),
    ):
        seen.take(one)
    seen.lines["measure-1"].width = 200
    assert drawn(seen) == [
        "census ● running  3.2 s",
        "├─ find     ● success     0.1 s",
        "├─ measure  ◐ 2/200       1 running, 1 retrying (attempt 2 of 3, in 1 s), 1 failed",
        "└─ rank     ○ waiting",
    ]


def test_a_run_that_ended_badly_shows_what_failed_and_what_was_not_run() -> None:
    seen = progress.of_flow(census(), "census")
    for one in (
        change(Running(), seconds=-2),
        change(Success(), "find"),
        change(Success(), "measure", 0),
        change(Failed("no"), "measure", 1),
        change(Mapped(n_map_states=2), "measure"),
        change(TriggerFailed("upstream"), "rank"),
        change(Failed("some failed")),
    ):
        seen.take(one)
    assert drawn(seen) == [
        "census ● failed  2.0 s",
        "├─ find     ● success     0.0 s",
        "├─ measure  ✗ 2/2         1 failed",
        "└─ rank     ○ not run",
    ]


def test_a_tree_that_does_not_fit_shows_what_is_busy() -> None:
    lines = [progress.TaskLine(f"t{n}-1", f"t{n}") for n in range(30)]
    seen = Progress("wide", lines)
    seen.take(change(Running(), "t20", seconds=-1))
    shown = drawn(seen, height=8)
    assert len(shown) == 6
    assert any("t20  ◐ running" in line for line in shown)
    assert shown[-1] == "└─ … 26 more tasks"


def test_a_task_that_is_tried_again_says_when() -> None:
    seen = progress.of_flow(census(), "census")
    seen.take(change(Retrying(run_count=2, start_time=NOON + timedelta(seconds=5)), "measure"))
    assert "retrying    (attempt 3 of 3, in 5 s)" in drawn(seen)[2]


def test_the_width_of_a_map_is_known_from_what_it_maps_over() -> None:
    with Flow("widths") as flow:
        nested = Parameter("nested")
        numbers = Parameter("numbers")
        measure.map(flatten(nested), numbers)
    seen = progress.of_flow(flow, "widths")
    widths = Widths(flow, seen)
    widths.take("nested", [[1, 2], [3]])
    assert seen.lines["measure-1"].width == 3
    widths.take("numbers", [1, 2])
    assert seen.lines["measure-1"].width == 2
    widths.take("numbers", "no list")
    assert seen.lines["measure-1"].width == 2


def test_the_metadata_of_a_flow_gives_the_same_lines_as_the_flow() -> None:
    flow = census()
    of_flow, of_spec = progress.of_flow(flow, "x"), progress.of_spec(flow.serialize().model_dump(), "x")
    assert {(line.name, line.mapped, line.max_retries) for line in of_flow.shown} == {
        (line.name, line.mapped, line.max_retries) for line in of_spec.shown
    }


def test_task_runs_are_counted_without_the_parents_of_maps() -> None:
    seen = progress.of_flow(census(), "census")
    for one in (change(Success(), "find"), change(Success(), "measure", 0), change(Success(), "measure", 1)):
        seen.take(one)
    seen.take(change(Mapped(n_map_states=2), "measure"))
    assert display.task_runs(seen) == "3 task runs"


def test_lines_without_children_tell_of_tasks_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    shown = display.Lines(progress.of_flow(census(), "census"), children=False)
    for one in (change(Success(), "measure", 0), change(Failed("no"), "measure", 1), change(Success(), "find")):
        shown.take(one)
    said = [line.split("  ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert said == ["measure[1]  Failed  no", "find  Success"]
