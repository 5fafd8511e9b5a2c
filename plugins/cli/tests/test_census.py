import csv
import runpy
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from penstock.storage import load_flows
from penstock_cli import demo
from penstock_cli.demo import report

SCRIPT = Path(demo.__file__).with_name("census.py")
SOLO = b'''"""Documented."""
import os, deep.inner


def one():
    """Yes."""


def two(): ...

def _own(): ...
'''


@pytest.fixture
def census(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the demo's script defines, with a small library to count."""
    library = tmp_path / "library"
    for name, source in {
        "solo.py": SOLO,
        "deep/__init__.py": b"from solo import one\nfrom . import inner\n",
        "deep/inner.py": b"class Thing:\n    '''Yes.'''\n    async def act(self): ...\n",
        "deep/old.py": b"print 'Python 2'\n",
        "deep/zeros.py": b"\0",
        "site-packages/left.py": b"",
        "deep/test/out.py": b"",
    }.items():
        path = library / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source)
    defined = runpy.run_path(str(SCRIPT))
    monkeypatch.setitem(defined["find_modules"].fn.__globals__, "LIBRARY", library)
    return defined


def test_modules_are_found_sorted_and_limited(census: dict[str, Any]) -> None:
    find = census["find_modules"].fn
    monitored = census["penstock"]
    with monitored.context(logger=Silent()):
        assert find(None) == ["deep/__init__.py", "deep/inner.py", "deep/old.py", "deep/zeros.py", "solo.py"]
        assert find(2) == ["deep/__init__.py", "deep/inner.py"]


class Silent:
    """A logger that keeps to itself."""

    def info(self, *arguments: object) -> None:
        """Say nothing."""

    def warning(self, *arguments: object) -> None:
        """Say nothing."""


def measured(census: dict[str, Any], path: str) -> dict[str, Any]:
    with census["penstock"].context(logger=Silent()):
        found: dict[str, Any] = census["measure"].fn(path)
    return found


def test_a_module_is_counted(census: dict[str, Any]) -> None:
    assert measured(census, "solo.py") == {
        "name": "solo",
        "package": "solo",
        "lines": 11,
        "functions": 3,
        "classes": 0,
        "documentable": 3,
        "documented": 2,
        "imports": ["deep", "os"],
        "problem": None,
    }
    inner = measured(census, "deep/inner.py")
    assert (inner["name"], inner["classes"], inner["functions"], inner["documented"]) == ("deep.inner", 1, 1, 1)
    assert measured(census, "deep/__init__.py")["name"] == "deep"


@pytest.mark.parametrize("path", ["deep/old.py", "deep/zeros.py"])
def test_what_cannot_be_parsed_is_counted_as_that(census: dict[str, Any], path: str) -> None:
    assert measured(census, path)["problem"]


def test_packages_are_ranked_without_what_could_not_be_read(census: dict[str, Any]) -> None:
    modules = [measured(census, path) for path in ("solo.py", "deep/__init__.py", "deep/inner.py", "deep/old.py")]
    largest, other = census["rank"].fn(modules)
    assert (largest["name"], largest["lines"], largest["coverage"]) == ("solo", 11, 2 / 3)
    assert (other["name"], other["modules"], other["lines"]) == ("deep", 2, 5)
    graph = census["draw_imports"].fn(modules)
    assert graph["importers"] == {"deep": 1, "solo": 1}
    assert graph["imports"] == [("deep", "solo", 1), ("solo", "deep", 1)]


class Page(HTMLParser):
    """Collects the tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_flow_writes_a_report_and_a_table(census: dict[str, Any], tmp_path: Path) -> None:
    state = census["flow"].run(folder=str(tmp_path), executor="in-process")
    assert state.is_successful(), state.message
    page = (tmp_path / "census.html").read_text(encoding="utf-8")
    shown = Page(page)
    assert {"solo", "deep", "deep.old", "deep.zeros"} <= set(shown.texts)
    assert shown.tags.count("rect") == 4
    assert shown.tags.count("circle") == 2
    for drawing in page.split("<svg")[1:]:
        ET.fromstring("<svg" + drawing.partition("</svg>")[0] + "</svg>")  # noqa: S314 - our own page
    with (tmp_path / "census.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["deep", "deep.inner", "deep.old", "deep.zeros", "solo"]


def test_what_the_page_shows_is_text_whatever_it_holds() -> None:
    module = {"name": "<script>x</script>", "problem": "<b>", "documentable": 1, "documented": 0}
    page = report.render([module], [], {"importers": {}, "imports": []})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_script_is_an_ordinary_flow_file() -> None:
    assert list(load_flows(SCRIPT)) == ["census"]
