"""The page on Prefect 1 has a status and tests for each of its rows, and leaves out none of the known differences."""

import ast
import importlib
import re
import runpy
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from penstock import errors

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/reference/classic-semantics.md"
HEADER: Final = ["Prefect 1", "status", "here", "tests"]
STATUSES: Final = {"done", "different", "not yet"}


class Row(NamedTuple):
    what: str
    status: str
    here: str
    tests: list[str]


def rows() -> list[Row]:
    """Return the rows of the page's tables."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    odd = [row for row in cells if len(row) != len(HEADER)]
    assert odd == []
    return [
        Row(what, status, here, [one.strip("`") for one in tests.split()])
        for what, status, here, tests in cells
        if what != HEADER[0] and set(what) != {"-"}
    ]


def defined(file: Path) -> set[str]:
    """Return the functions and classes of a file, and the methods of its classes as `Class::method`."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
    return found


def is_a_test(file: str, name: str) -> bool:
    """Return whether *name* in *file* is a scenario, a test, or a class of tests."""
    last = name.rpartition("::")[2]
    return "classic/flows" in file or last.startswith(("test_", "Test"))


def test_every_row_has_a_status_a_text_and_tests() -> None:
    assert len(rows()) > 100
    assert [row.what for row in rows() if row.status not in STATUSES or not row.what or not row.here] == []
    assert [row.what for row in rows() if bool(row.tests) == (row.status == "not yet")] == []


def test_every_test_that_is_named_exists() -> None:
    named = {name for row in rows() for name in row.tests}
    there = {file: defined(ROOT / file) for file in {name.partition("::")[0] for name in named}}
    parts = [(name, *name.partition("::")[::2]) for name in sorted(named)]
    assert [name for name, file, test in parts if test not in there[file] or not is_a_test(file, test)] == []


def test_every_known_difference_is_in_a_row_that_says_so() -> None:
    listed: dict[str, Any] = runpy.run_path(str(ROOT / "tests/classic/differences.py"))
    scenarios = {f"tests/classic/flows/{name.replace('.', '.py::')}" for name in listed["DIFFERENCES"]}
    different = {name for row in rows() if row.status == "different" for name in row.tests}
    assert scenarios - different == set()
    everywhere = "tests/classic/test_classic.py::test_what_differs_everywhere_does"
    assert sum(everywhere in row.tests for row in rows()) == len(listed["EVERYWHERE"])
    done = {name for row in rows() if row.status == "done" for name in row.tests}
    assert scenarios & done == set()


@pytest.mark.parametrize(
    ("home", "name"),
    [
        ("penstock.flow:Flow", "run_agent"),
        ("penstock.tasks:Task", "serialize"),
        ("penstock.states:State", "load_cached_results"),
        ("penstock.results", "PrefectResult"),
        ("penstock.results", "SecretResult"),
    ],
    ids=lambda value: value if ":" not in value else value.partition(":")[2],
)
def test_what_is_said_not_to_be_there_is_not(home: str, name: str) -> None:
    module, _, kind = home.partition(":")
    holder = importlib.import_module(module)
    with pytest.raises((AttributeError, errors.RenamedError)):
        getattr(getattr(holder, kind) if kind else holder, name)
    said = [row for row in rows() if re.search(rf"`[\w.]*\b{name}\b[^`]*`", f"{row.what} {row.here}")]
    assert said
    assert all(row.status != "done" for row in said)
