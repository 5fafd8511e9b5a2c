"""What lies in storages and what of it can go; and secrets, of which no value is shown."""

import io
import json
import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock import Secret, settings
from penstock.storage import Reference, Source, Storage

HOUR = 3600


def left_over(storage: Storage, hours: float) -> Reference:
    """Store something that no flow refers to, as if it was done some time ago."""
    reference = storage.put(Source("left over", b"content", "script", datetime(2026, 1, 1, tzinfo=UTC)))
    then = time.time() - hours * HOUR
    os.utime(reference.location, (then, then))
    return reference


def test_what_is_stored_is_listed_with_the_flows_that_refer_to_it(
    penstock: Callable[..., Any], registered: str, home: Path
) -> None:
    reference = left_over(Storage.resolve("local"), hours=0)
    found = {one["location"]: one for one in json.loads(penstock("storage", "ls", "--json").out)}
    assert found[reference.location]["flows"] == []
    assert found[reference.location]["size"] == 7
    (flow,) = set(found) - {reference.location}
    assert found[flow]["flows"] == [f"{registered} v1"]
    lines = penstock("storage", "ls").out.splitlines()
    assert lines[0].split() == ["LOCATION", "SIZE", "STORED", "FLOWS"]
    assert lines[1].split()[-2:] == [registered, "v1"]
    assert lines[2].split()[-1] == "none"
    assert penstock("storage", "ls", f"file://{home}/flows").out.count(f"{registered} v1") == 1
    assert penstock("storage", "ls", "memory://nothing").out == ""


def test_what_no_flow_refers_to_is_removed_once_it_is_old_enough(
    penstock: Callable[..., Any], registered: str, census: Path
) -> None:
    storage = Storage.resolve("local")
    old, young = left_over(storage, hours=2), left_over(storage, hours=0.5)
    assert old.location in penstock("storage", "gc", "--dry-run").out
    assert Path(old.location).exists()
    census.write_text(census.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert penstock("register", str(census), "--project", "tutorial").code == 0
    done = penstock("storage", "gc", "--yes", "--older-than", "1")
    assert "Removed 1" in done.out
    left = [one["location"] for one in json.loads(penstock("storage", "ls", "--json").out)]
    assert old.location not in left
    assert young.location in left
    assert len(left) == 3  # two versions of the census, and the young one
    assert penstock("storage", "gc", "--yes").out == "There is nothing to remove\n"
    assert penstock("storage", "gc", "--yes", "--json").out == "[]\n"


@pytest.mark.parametrize("spelling", ["file://{link}/flows", "file://{home}//flows", "file://{home}/../home/flows"])
def test_what_a_flow_refers_to_stays_however_its_place_is_spelled(
    penstock: Callable[..., Any], registered: str, home: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    old, link = left_over(Storage.resolve("local"), hours=2), home.with_name("link")
    link.symlink_to(home)
    place = spelling.format(home=home, link=link)
    (removed,) = json.loads(penstock("storage", "gc", place, "--older-than", "0", "--yes", "--json").out)
    assert Path(removed["location"].removeprefix("file://")).name == Path(old.location).name
    monkeypatch.setenv("PENSTOCK_HOME", str(link))  # the settings name the place in this way, the flow in another
    with settings.override():
        (told,) = json.loads(penstock("storage", "ls", "--json").out)
    assert told["flows"] == [f"{registered} v1"]


def test_what_a_flow_refers_to_stays_where_another_machine_has_its_place_elsewhere(
    penstock: Callable[..., Any], registered: str, home: Path
) -> None:
    (home / "flows").rename(home / "mounted")
    done = penstock("storage", "gc", f"file://{home}/mounted", "--older-than", "0", "--yes")
    assert done.out == "There is nothing to remove\n"


def test_it_asks_before_anything_is_removed(penstock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    old = left_over(Storage.resolve("local"), hours=2)
    for answer, code, there in (("n\n", 130, True), ("y\n", 0, False)):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        done = penstock("storage", "gc")
        assert "Remove these 1 (7 B)? Flows of other backends are not known here" in done.out
        assert (done.code, Path(old.location).exists()) == (code, there)


def test_a_storage_that_cannot_be_listed_is_left_out_and_named(
    penstock: Callable[..., Any], census: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_fsspec.storage.FileSystemStorage.stored", Storage.stored)
    done = penstock("storage", "ls")
    assert (done.code, done.out) == (0, "")
    assert "A local storage cannot say what lies in it; it is left out" in done.err


def test_secrets_are_set_listed_and_deleted_and_never_shown(
    penstock: Callable[..., Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cr3t\n"))
    said = [penstock("secrets", "set", "TOKEN")]
    assert Secret("TOKEN").get() == "s3cr3t"
    assert stat.S_IMODE((home / "secrets/TOKEN").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "secrets").stat().st_mode) == 0o700
    monkeypatch.setenv("PENSTOCK_SECRETS__OTHER", "an0ther")
    said.append(penstock("secrets", "list"))
    assert [line.split() for line in said[-1].out.splitlines()] == [
        ["NAME", "FROM"],
        ["OTHER", "PENSTOCK_SECRETS__OTHER"],
        ["TOKEN", f"{home}/secrets/TOKEN"],
    ]
    said.append(penstock("secrets", "list", "--json"))
    assert [one["name"] for one in json.loads(said[-1].out)] == ["OTHER", "TOKEN"]
    monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "fr0m outside")
    monkeypatch.setattr("sys.stdin", io.StringIO("n3w"))
    said.append(penstock("secrets", "set", "TOKEN"))
    assert "The variable PENSTOCK_SECRETS__TOKEN goes over it here" in said[-1].out
    said.append(penstock("secrets", "delete", "TOKEN"))
    assert not (home / "secrets/TOKEN").exists()
    assert not [done for done in said for value in ("s3cr3t", "an0ther", "n3w") if value in done.out + done.err]


def test_a_secret_that_cannot_be_is_refused(penstock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert penstock("secrets", "set", "../x").code == 2
    done = penstock("secrets", "set", "TOKEN")
    assert (done.code, "needs a value" in done.err) == (2, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))
    penstock("secrets", "set", "TOKEN")
    Path("file").touch()
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))
    with settings.override({"home": "file"}):
        done = penstock("secrets", "set", "TOKEN")
    assert (done.code, 'The secret "TOKEN" cannot be kept in file/secrets: Not a directory' in done.err) == (2, True)
    done = penstock("secrets", "delete", "TOKE")
    assert (done.code, "Did you mean TOKEN?" in done.err) == (2, True)
