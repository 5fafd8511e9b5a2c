"""Graphs drawn as SVG, DOT and Mermaid: complete, coloured, and safe whatever tasks are called."""

import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import penstock
from penstock import Flow, errors, hookimpl, states, task
from penstock.hooks import manager, observing
from penstock_viz import Graph, Link, Node

_SVG = "{http://www.w3.org/2000/svg}"
_HOSTILE = [
    *['"quoted"', "<b>bold</b>", "</script><script>alert(1)</script>", "a & b &lt; &amp;", "-->", "]]>", "${x} {{y}}"],
    *[
        "two\nlines",
        "back\\slash\\n \\N \\",
        "tab\tbed",
        "[label=x]",
        "a -> b;",
        "grüße 流れ 🦦",
        "nul\0 \x1b[31m",
        "\ud800",
    ],
    *["", " ", "'", "`", "%%{init}%%", "end", "click n0 call x()", "#quot;", "a:b:c"],
]


def drawn(graph: Graph) -> ET.Element:
    return ET.fromstring(graph.render("svg"))  # noqa: S314 - our own


def groups(svg: ET.Element, kind: str) -> list[ET.Element]:
    return [group for group in svg.iter(f"{_SVG}g") if group.get("class") == kind]


def texts(element: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in element.iter(f"{_SVG}text")]


@pytest.fixture
def graph() -> Graph:
    nodes = (
        Node("load-1", "load", color="#28a74580", tooltip="load-1: Success"),
        Node("clean-1", "clean <map>", shape="box", color="#eb000080"),
        Node("report-1", "report"),
    )
    edges = (Link("load-1", "clean-1", label="rows", dashed=True), Link("clean-1", "report-1"))
    return Graph("daily", nodes, edges)


def test_svg_shows_every_node_with_its_shape_colour_and_tooltip(graph: Graph) -> None:
    load, clean, report = groups(drawn(graph), "node")
    assert [texts(node) for node in (load, clean, report)] == [["load"], ["clean <map>"], ["report"]]
    assert [node.get("id") for node in (load, clean, report)] == ["task-load-1", "task-clean-1", "task-report-1"]
    assert next(load.iter(f"{_SVG}ellipse")).get("fill") == "#28a745"
    assert next(clean.iter(f"{_SVG}polygon")).get("fill") == "#eb0000"
    assert next(report.iter(f"{_SVG}ellipse")).get("fill") == "none"
    tooltips = [link.get("{http://www.w3.org/1999/xlink}title") for link in load.iter(f"{_SVG}a")]
    assert tooltips == ["load-1: Success"]


def test_svg_shows_every_link_with_its_label_and_stroke(graph: Graph) -> None:
    mapped, plain = groups(drawn(graph), "edge")
    assert [mapped.findtext(f"{_SVG}title"), texts(mapped)] == ["load-1->clean-1", ["rows"]]
    assert [plain.findtext(f"{_SVG}title"), texts(plain)] == ["clean-1->report-1", []]
    assert next(mapped.iter(f"{_SVG}path")).get("stroke-dasharray")
    assert not next(plain.iter(f"{_SVG}path")).get("stroke-dasharray")


def test_a_horizontal_graph_is_wider_than_high(graph: Graph) -> None:
    upright, flat = drawn(graph), drawn(Graph(graph.name, graph.nodes, graph.edges, horizontal=True))

    def ratio(svg: ET.Element) -> float:
        return float(svg.attrib["width"].removesuffix("pt")) / float(svg.attrib["height"].removesuffix("pt"))

    assert ratio(upright) < 1 < ratio(flat)


def test_svg_can_stand_in_a_page(graph: Graph) -> None:
    assert graph.render("svg").startswith(b"<svg")
    assert graph._repr_svg_().encode() == graph.render("svg")


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_names_are_shown_and_nothing_else(name: str) -> None:
    nodes = (Node(f"{name}-1", name, tooltip=name), Node("other", "other", shape="box", tooltip=name))
    graph = Graph(name, nodes, (Link(f"{name}-1", "other", label=name),))
    svg = drawn(graph)
    shown = re.sub("[\0\x1b\ud800]", "\N{REPLACEMENT CHARACTER}", name)
    assert "\n".join(texts(groups(svg, "node")[0])).strip() == shown.strip()
    assert {element.tag.removeprefix(_SVG) for element in svg.iter()} <= {
        *("svg", "g", "title", "a", "ellipse", "polygon", "text", "path"),
    }
    assert len(groups(svg, "node")) == 2
    assert len(groups(svg, "edge")) == 1


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_any_name_gives_a_well_formed_picture(name: str) -> None:
    graph = Graph(name, (Node(f"a{name}", name, tooltip=name), Node("b", "b")), (Link(f"a{name}", "b", name),))
    assert len(groups(drawn(graph), "node")) == 2


def test_a_label_may_begin_with_an_empty_line() -> None:
    graph = Graph("lines", (Node("a", "\n\nabc"), Node("b", "b")), (Link("a", "b", "\n\nabc"),))
    assert all(graph.render("svg").startswith(b"<svg") for _ in range(200))  # one in seven trapped


@pytest.mark.parametrize("name", _HOSTILE)
def test_mermaid_keeps_to_its_lines_whatever_names_hold(name: str) -> None:
    nodes = (Node(name, name, color="#28a74580"), Node("other", "other", shape="box", color="url(x)"))
    lines = Graph(name, nodes, (Link(name, "other", name, dashed=True),)).render("mermaid").decode().splitlines()
    quoted = r'"(?:[\w\s.,:()\[\]{}/+=-]|<br/>|#\d+;)*"'
    label = rf"\|{quoted}\|" if name else ""
    assert [lines[0], lines[2], lines[3]] == ["---", "---", "flowchart TD"]
    assert re.fullmatch(rf"  n0\({quoted}\)", lines[4])
    assert lines[5:6] == ['  n1["other"]']
    assert re.fullmatch(rf"  n0 -\.->{label} n1", lines[6])
    assert lines[7:] == ["  style n0 fill:#28a74580"]


def test_dot_is_readable(graph: Graph) -> None:
    lines = graph.render("dot").decode().splitlines()
    assert lines[0] == 'digraph "daily" {'
    assert '  "load-1" -> "clean-1" [label="rows", style="dashed"]' in lines
    assert '  "clean-1" -> "report-1" []' in lines


def test_the_ending_of_a_file_names_its_format(graph: Graph, tmp_path: Path) -> None:
    for name, format in (("a.svg", "svg"), ("a.SVG", "svg"), ("a.dot", "dot"), ("a.gv", "dot"), ("a.mmd", "mermaid")):  # noqa: A001 - the term users know
        assert graph.save(tmp_path / name).read_bytes() == graph.render(format)
    assert graph.save(tmp_path / "picture", "svg").read_bytes() == graph.render("svg")
    assert graph.save(tmp_path / "drawn") == tmp_path / "drawn.svg"


def test_a_format_that_nobody_draws_is_an_error_that_names_the_others(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(
        errors.UnknownTypeError, match=r'"sgv". Did you mean svg\? penstock-viz draws dot, mermaid, svg'
    ):
        graph.save(tmp_path / "a.sgv")
    assert not list(tmp_path.iterdir())


def test_without_the_plugin_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_registry", manager.Registry())
    with pytest.raises(errors.PluginMissingError, match="pip install penstock-viz"):
        Flow("undrawn").visualize()


def test_many_threads_may_draw_at_once(graph: Graph) -> None:
    expected = graph.render("svg")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: graph.render("svg"), range(50))) == {expected}


def test_a_graph_that_graphviz_cannot_lay_out_is_an_error_and_the_next_is_drawn(graph: Graph) -> None:
    count = 30_000
    nodes = tuple(Node(f"t{number}", "t") for number in range(count))
    chain = Graph("endless", nodes, tuple(Link(f"t{number}", f"t{number + 1}") for number in range(count - 1)))
    with pytest.raises(errors.FlowError, match=r'"endless" of 30000 nodes .*dot or mermaid'):
        chain.render("svg")
    assert len(chain.render("dot").splitlines()) > 2 * count
    assert len(groups(drawn(graph), "node")) == 3


def test_a_flow_is_drawn_in_the_colours_of_its_run(tmp_path: Path) -> None:
    @task
    def load() -> list[int]:
        return [1, 2]

    @task
    def double(number: int) -> int:
        return 2 * number

    with Flow("doubles") as flow:
        double.map(load())
    picture = flow.visualize(flow.run(), filename=tmp_path / "doubles.svg")
    assert (tmp_path / "doubles.svg").read_bytes() == picture.render("svg")
    fills = {shape.get("fill") for node in groups(drawn(picture), "node") for shape in node.iter()}
    assert {states.Success.color, states.Mapped.color} <= fills
    assert next(groups(drawn(picture), "edge")[0].iter(f"{_SVG}path")).get("stroke-dasharray")


@task
def one() -> int:
    return 1


@task
def add(x: int, y: int) -> int:
    return x + y


class Shouting:
    """Draws a format of its own."""

    @hookimpl
    def penstock_render_graph(self, graph: Graph, format: str) -> bytes | None:  # noqa: A002 - the hook's name
        return graph.name.upper().encode() if format == "shout" else None


def test_another_plugin_may_draw_further_formats() -> None:
    with observing(Shouting()):
        assert Flow("drawn").visualize().render("shout") == b"DRAWN"
    with pytest.raises(errors.UnknownTypeError, match='"shout"'):
        Flow("drawn").visualize().render("shout")


def test_visualize_returns_a_graph_without_drawing() -> None:
    with Flow("drawn") as flow:
        add.map([1, 2], penstock.unmapped(one()))
    graph = flow.visualize()
    assert [(node.id, node.shape) for node in graph.nodes] == [("one-1", "ellipse"), ("add-1", "box")]
    assert [(link.source, link.target, link.label, link.dashed) for link in graph.edges] == [
        ("one-1", "add-1", "y", False)
    ]
    coloured = flow.visualize(flow_state=flow.run())
    assert all(node.color for node in coloured.nodes)
    assert [node.label for node in coloured.nodes] == ["one", "add <2>"]
