"""The page that the census ends in: figures, a ranking as bars, the imports as arcs. Plain HTML with inline SVG."""

import platform
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

_WIDTH: Final = 880
_BARS: Final = 18
_BAR_HEIGHT: Final = 28
_NAME_WIDTH: Final = 150
_FIGURES_WIDTH: Final = 190
_NODES: Final = 24
_ARC_HEIGHT: Final = 230
_MARGIN: Final = 40


def render(modules: Sequence[Mapping[str, Any]], ranking: Sequence[Mapping[str, Any]], graph: Mapping[str, Any]) -> str:
    """Return the page for what the census has found."""
    environment = Environment(
        loader=PackageLoader("penstock_cli.demo", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    readable = [module for module in modules if module["problem"] is None]
    return environment.get_template("report.html.j2").render(
        python=platform.python_version(),
        figures=_figures(readable, ranking),
        unreadable=[module for module in modules if module["problem"] is not None],
        bars=_bars(ranking),
        bars_height=_BAR_HEIGHT * min(len(ranking), _BARS),
        packages=len(ranking),
        arcs=_arcs(graph),
        width=_WIDTH,
        base=_ARC_HEIGHT + _MARGIN,
        arcs_height=_ARC_HEIGHT + _MARGIN + 110,
    )


def _figures(readable: Sequence[Mapping[str, Any]], ranking: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    documentable = sum(module["documentable"] for module in readable)
    coverage = sum(module["documented"] for module in readable) / max(documentable, 1)
    return [
        ("modules", f"{len(readable):,}"),
        ("lines", f"{sum(package['lines'] for package in ranking):,}"),
        ("functions", f"{sum(package['functions'] for package in ranking):,}"),
        ("classes", f"{sum(package['classes'] for package in ranking):,}"),
        ("documented", f"{coverage:.0%}"),
    ]


def _bars(ranking: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a bar per package: its length its lines, the filled part of it what is documented."""
    shown = ranking[:_BARS]
    longest = max((package["lines"] for package in shown), default=1)
    room = _WIDTH - _NAME_WIDTH - _FIGURES_WIDTH
    return [
        {
            "name": package["name"],
            "y": position * _BAR_HEIGHT,
            "x": _NAME_WIDTH,
            "width": round(room * package["lines"] / longest, 1),
            "documented": round(room * package["lines"] / longest * package["coverage"], 1),
            "lines": f"{package['lines']:,}",
            "coverage": f"{package['coverage']:.0%}",
        }
        for position, package in enumerate(shown)
    ]


def _arcs(graph: Mapping[str, Any]) -> dict[str, Any]:
    """Return the most imported packages on a line, and an arc for each pair of them of which one imports the other."""
    importers: Mapping[str, int] = graph["importers"]
    names = sorted(sorted(importers, key=lambda name: importers[name], reverse=True)[:_NODES])
    most = max((importers[name] for name in names), default=1)
    step = (_WIDTH - 2 * _MARGIN) / max(len(names) - 1, 1)
    places = {name: round(_MARGIN + step * position, 1) for position, name in enumerate(names)}
    nodes = [
        {"name": name, "x": place, "radius": round(3 + 9 * importers[name] / most, 1), "importers": importers[name]}
        for name, place in places.items()
    ]
    return {"nodes": nodes, "links": [_link(places, *one) for one in graph["imports"] if places.keys() >= set(one[:2])]}


def _link(places: Mapping[str, float], importer: str, imported: str, times: int) -> dict[str, Any]:
    left, right = sorted((places[importer], places[imported]))
    return {
        "left": left,
        "right": right,
        "radius": round((right - left) / 2, 1),
        "height": round(min((right - left) / 2, _ARC_HEIGHT), 1),
        "weight": round(min(0.6 + times / 6, 4), 1),
        "title": f"{importer} imports {imported} in {times} module{'' if times == 1 else 's'}",
    }
