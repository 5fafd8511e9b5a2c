"""The same flows, run with Prefect 1.4.1 and with penstock, end the same way."""

import json
import runpy
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playing import HERE, different, names, play

PREFECT1 = HERE.parent.parent / ".venv-prefect1" / "bin" / "python"
_OF_THE_TESTS = {"differences", "playing", "test_classic", "test_executors"}
_LISTED = runpy.run_path(str(HERE / "differences.py"))
DIFFERENCES: dict[str, dict[str, str]] = _LISTED["DIFFERENCES"]
EVERYWHERE: list[tuple[Any, Any]] = [(there, here) for there, here, _ in _LISTED["EVERYWHERE"]]


def remembered(folder: Path) -> dict[str, Any]:
    """Return Prefect's outcomes, which are the same as long as the flows and what plays them are."""
    kept = PREFECT1.parent.parent / "outcomes.json"
    played = [file for file in sorted(HERE.rglob("*.py")) if file.stem not in _OF_THE_TESTS]
    digest = sha256(b"".join(file.read_bytes() for file in [*played, HERE / "constraints.txt"])).hexdigest()
    known: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if known.get("of") != digest:
        known = {"of": digest, "outcomes": play(PREFECT1, folder)}
        fresh = folder / kept.name
        fresh.write_text(json.dumps(known), encoding="utf-8")
        shutil.move(fresh, kept)
    outcomes: dict[str, Any] = known["outcomes"]
    return outcomes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    if not PREFECT1.exists():
        pytest.fail(f"{PREFECT1} is missing; tools/set-up-prefect1 makes it, and so does make test", pytrace=False)
    folder = tmp_path_factory.mktemp("classic")
    with ThreadPoolExecutor() as pool:
        theirs = pool.submit(remembered, folder / "prefect")
        ours = pool.submit(play, Path(sys.executable), folder / "penstock")
    return {"prefect": theirs.result(), "penstock": ours.result()}


def covers(listed: str, path: str) -> bool:
    """Return whether a listed place is *path*, or lies above it."""
    return path == listed or path.startswith((f"{listed}.", f"{listed}["))


@pytest.mark.parametrize("name", names())
def test_both_end_alike(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    missing = [framework for framework, played in outcomes.items() if name not in played]
    assert not missing, f"{name} was not played by {missing}: its file cannot be imported there"
    theirs, ours = outcomes["prefect"][name], outcomes["penstock"][name]
    listed = DIFFERENCES.get(name, {})
    found = [place for place in different(theirs, ours) if place[1:] not in EVERYWHERE]
    unlisted = [place for place in found if not any(covers(above, place[0]) for above in listed)]
    told = "\n".join(f"  {path}: Prefect {there!r}, penstock {here!r}" for path, there, here in unlisted)
    assert not unlisted, f"{name} ends otherwise than with Prefect:\n{told}\n{ours.get('trace', '')}"
    gone = [above for above in listed if not any(covers(above, path) for path, _, _ in found)]
    assert not gone, f"differences.py lists for {name} what does not differ: {gone}"


def test_every_difference_is_one_of_a_scenario() -> None:
    assert DIFFERENCES.keys() <= set(names())


def test_what_differs_everywhere_does(outcomes: dict[str, dict[str, Any]]) -> None:
    theirs, ours = outcomes["prefect"], outcomes["penstock"]
    found = [place[1:] for name in theirs.keys() & ours.keys() for place in different(theirs[name], ours[name])]
    assert [pair for pair in EVERYWHERE if pair not in found] == []
