"""What a notebook shows of states and flows."""

import pickle
from html.parser import HTMLParser
from typing import Any

import pytest

from penstock import Flow, Parameter, task
from penstock.hooks import manager
from penstock.states import Failed, Mapped, Running, State, Success
from penstock_viz import notebook

HOSTILE = "<script>alert('x')</script>\"&"


@task
def check(number: int) -> int:
    if number < 0:
        raise ValueError(HOSTILE)
    return number


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


class Page(HTMLParser):
    """A piece of HTML as its elements and its texts by row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.styles: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.styles += [value or "" for name, value in attrs if name == "style"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.rows and self.rows[-1] and not self.elements[-1].startswith(("/td", "/tr", "/table")):
            self.rows[-1][-1] += data


def shown(subject: Any) -> Page:
    return Page(subject._repr_html_())


def final(numbers: list[int]) -> State:
    with Flow("mapped") as flow:
        total(check.map(Parameter("numbers")), task_args={"name": HOSTILE})
    return flow.run(numbers=numbers)


def test_a_state_is_a_badge_in_its_colour_with_its_message() -> None:
    page = shown(Running(HOSTILE))
    assert page.elements == ["p", "span", "/span", "/p"]
    assert Running.color in page.styles[0]
    assert "".join(page.texts) == f"Running {HOSTILE}"


def test_the_state_of_a_flow_run_is_a_table_of_its_tasks() -> None:
    page = shown(final([1, -2, 3]))
    assert "script" not in page.elements
    assert page.rows == [
        ["task", "state", "message"],
        ["numbers", "Success", "Task run succeeded."],
        ["check", "Mapped 2 Success, 1 Failed", "Mapped task has run."],
        [
            HOSTILE,
            "TriggerFailed",
            "all_successful lets a task run once all upstream tasks have succeeded; 1 of 3 have not.",
        ],
    ]
    assert Failed.color in page.styles[2]


def test_a_map_without_children_and_one_that_forgot_them_are_shown() -> None:
    assert shown(final([])).rows[2][1] == "Mapped no children"
    forgetful = Success("done", {"one": State.deserialize(Mapped(n_map_states=5).serialize())})
    assert shown(forgetful).rows[1] == ["one", "Mapped 5 children", ""]


def test_a_state_looks_the_same_after_a_pickle() -> None:
    state = Success("done", final([1, -2]).result)
    again = pickle.loads(pickle.dumps(Success("done", {key.name: one for key, one in state.result.items()})))
    assert shown(again).rows == shown(state).rows


@pytest.mark.parametrize("result", [{"a": 1}, {}, [Success()], "text"])
def test_a_result_that_holds_no_states_is_not_shown(result: Any) -> None:
    assert shown(Success("done", result)).elements == ["p", "span", "/span", "/p"]


def test_children_that_succeeded_plainly_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    state = final(list(range(1000)))
    children = next(one for one in state.result.values() if isinstance(one, Mapped)).map_states

    def look(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(type(children), "__getitem__", look)
    monkeypatch.setattr(type(children), "__iter__", look)
    assert shown(state).rows[2][1] == "Mapped 1000 Success"


def test_of_many_tasks_those_that_failed_are_shown_first() -> None:
    with Flow("many") as flow:
        for number in range(300):
            check(number if number != 250 else -1, task_args={"name": f"t{number}"})
    page = shown(flow.run())
    assert [row[0] for row in page.rows[1:4]] == ["t250", "t0", "t1"]
    assert len(page.rows) == 201
    assert page.texts[-1] == "… and 100 more"


def wide(number: int) -> Flow:
    with Flow("wide") as flow:
        total([check(1) for _ in range(number)], task_args={"name": HOSTILE})
    return flow


def test_a_flow_is_its_picture() -> None:
    html = wide(2)._repr_html_() or ""
    assert html.startswith("<svg")
    assert "<script" not in html


def test_without_a_plugin_a_notebook_shows_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_registry", manager.Registry())
    subjects: list[Any] = [wide(2), Success()]
    assert [subject._repr_html_() for subject in subjects] == [None, None]


def test_a_flow_of_many_tasks_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(wide(300))
    assert len(page.rows) == 201
    assert page.texts[-1] == "… and 102 more"
    monkeypatch.setattr(notebook, "MOST", 3)
    page = shown(wide(2))
    assert page.rows[:3] == [["task", "waits for"], ["check", ""], ["check", ""]]
    assert page.rows[3][0] == "List"
    assert page.texts[0] == "wide"
