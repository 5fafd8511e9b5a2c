"""Looking after a database: checks, copies, other forms, and old runs that go."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from penstock import clock, errors, states
from penstock.backends.models import Document, StateReport
from penstock.spec import FlowSpec
from penstock.testing import VirtualClock
from penstock_backend import SQLBackend, maintenance, migrations
from penstock_backend.backend import database_at
from penstock_backend.commands import backend as command
from penstock_backend.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/penstock.db"
    made: str = request.getfixturevalue("postgresql").make_database()
    return made


@pytest.fixture
def store(url: str) -> Iterator[SQLBackend]:
    """A backend with four runs of one flow, then two of another, an hour apart, and one that has not begun."""
    backend = SQLBackend(url)
    with clock.use(VirtualClock()):
        backend.create_project("shop")
        for flow, count in (("prices", 4), ("stock", 2)):
            backend.register_flow(FlowSpec(name=flow), project="shop")
            for number in range(count):
                backend.create_flow_run("shop", flow, name=f"{flow}-{number}")
                (claim,) = backend.claim("ann")
                reports = [
                    StateReport(state=states.Success().serialize(), timestamp=clock.now(), slug=slug)
                    for slug in ("load-1", None)
                ]
                backend.report_states(claim.run.id, claim.fence, reports)
                clock.sleep(3600)
        backend.create_flow_run("shop", "prices", name="waiting")
        yield backend
    backend.close()


def names(backend: SQLBackend) -> set[str]:
    return {run.name for run in backend.list_flow_runs(limit=100)}


@pytest.fixture
def database(store: SQLBackend) -> Iterator[Database]:
    database = database_at(store.url)
    yield database
    database.close()


def test_runs_that_ended_long_ago_go_but_for_the_last_of_each_flow(store: SQLBackend, database: Database) -> None:
    which = maintenance.Pruning(timedelta(hours=2, minutes=30), keep_last=1)
    assert list(maintenance.prune(database, which)) == [3]
    assert names(store) == {"prices-3", "stock-0", "stock-1", "waiting"}
    assert list(maintenance.prune(database, which)) == []


def test_a_run_that_was_restarted_since_it_was_chosen_stays(
    store: SQLBackend, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_PART", 1)
    parts = maintenance.prune(database, maintenance.Pruning(timedelta(0)))
    assert next(parts) == 1
    store.restart_flow_run("stock-1")
    assert list(parts)[-1] == 5
    assert names(store) == {"stock-1", "waiting"}


def test_what_belongs_to_a_run_goes_with_it(store: SQLBackend, database: Database) -> None:
    assert sum(list(maintenance.prune(database, maintenance.Pruning(timedelta(0))))) == 6
    assert names(store) == {"waiting"}
    assert maintenance.check(database).rows == {
        "projects": 1, "flows": 2, "versions": 2, "runs": 1, "task runs": 0, "log lines": 0,
    }  # fmt: skip


def test_a_sound_database_has_no_faults_and_a_history_with_gaps_is_one(store: SQLBackend, database: Database) -> None:
    found = maintenance.check(database)
    assert (found.faults, found.rows["runs"], found.rows["task runs"]) == ([], 7, 6)
    assert found.bytes > 10_000
    run = store.get_flow_run("prices-1").id
    with database.writing() as connection:
        gap = text("DELETE FROM flow_run_states WHERE flow_run_id = :run AND state_version = 2")
        connection.execute(gap, {"run": run})
    assert maintenance.check(database).faults == ["the history of run prices-1 has gaps"]


def test_a_copy_is_taken_while_others_write_and_is_a_database(tmp_path: Path) -> None:
    store = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
    store.create_project("shop")
    database = database_at(store.url)
    maintenance.backup(database, tmp_path / "copy.db")
    copy = SQLBackend(f"sqlite:///{tmp_path}/copy.db")
    assert [one.name for one in copy.list_projects()] == ["shop"]
    with pytest.raises(errors.ConflictError, match=r"copy\.db is there already"):
        maintenance.backup(database, tmp_path / "copy.db")
    for one in (store, database, copy):
        one.close()


def runs_in(copy: Path) -> int:
    """Return how many flow runs a copy holds, after a look whether it is sound."""
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(kept.execute("SELECT count(*) FROM flow_runs").fetchone()[0])


@pytest.mark.parametrize("target", ["nowhere/copy.db", "penstock.db/copy.db", "x" * 300])
def test_a_copy_that_cannot_be_written_is_named(tmp_path: Path, target: str) -> None:
    database = database_at(f"sqlite:///{tmp_path}/penstock.db")
    with pytest.raises(errors.BackendUnreachableError, match=rf"The copy .*{target} .*cannot be written"):
        maintenance.backup(database, tmp_path / target)
    database.close()


def test_of_a_copy_that_ends_early_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = database_at(f"sqlite:///{tmp_path}/penstock.db")
    with database.reading():
        before = set(tmp_path.iterdir())

    def connect(place: Path) -> sqlite3.Connection:
        connection = real(place)
        if place != tmp_path / "penstock.db":
            connection.execute("PRAGMA max_page_count = 2")  # as on a disk that is nearly full
        return connection

    real = sqlite3.connect
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        with pytest.raises(errors.BackendUnreachableError, match=r"copy\.db .*cannot be written: .*full"):
            maintenance.backup(database, tmp_path / "copy.db")
    assert set(tmp_path.iterdir()) == before
    maintenance.backup(database, tmp_path / "copy.db")
    assert runs_in(tmp_path / "copy.db") == 0
    database.close()


def test_whenever_a_file_is_brought_to_another_form_a_new_copy_is_kept(tmp_path: Path) -> None:
    store, copies = SQLBackend(f"sqlite:///{tmp_path}/penstock.db"), set[Path]()

    def kept(revision: str) -> Path:
        (new,) = set(tmp_path.glob(f"penstock.db.{revision}-*")) - copies
        copies.add(new)
        return new

    with clock.use(VirtualClock()):  # all of it at one moment
        for number in (1, 2):
            store.register_flow(FlowSpec(name="prices"), project=store.create_project("shop").name)
            store.create_flow_run("shop", "prices")
            store.close()
            database = database_at(store.url)
            assert maintenance.downgrade(database, "0002") == kept(migrations.HEAD)
            assert len(store.list_flow_runs()) == number  # which brings it up
            assert runs_in(kept("0002")) == number
            store.close()
    assert sorted(map(runs_in, copies)) == [1, 1, 2, 2]
    assert set(tmp_path.glob("*penstock.db*")) == {*copies, tmp_path / "penstock.db", tmp_path / "penstock.db.lock"}


def test_a_database_that_was_brought_back_to_nothing_is_brought_up_again(store: SQLBackend, database: Database) -> None:
    copy = maintenance.downgrade(database, "base")
    assert (copy is None) == (not store.url.startswith("sqlite"))
    assert copy is None or runs_in(copy) == 7
    store.close()
    assert store.list_projects() == []
    assert maintenance.check(database).revision == migrations.HEAD


def test_the_form_that_a_database_has_needs_no_copy(store: SQLBackend, database: Database) -> None:
    assert maintenance.downgrade(database, migrations.HEAD) is None
    assert len(names(store)) == 7


def test_only_a_revision_that_there_is_can_be_gone_back_to(tmp_path: Path) -> None:
    database = database_at(f"sqlite:///{tmp_path}/penstock.db")
    with pytest.raises(errors.ConflictError, match=r"no revision '7'; there is"):
        maintenance.downgrade(database, "7")
    database.close()


# the command line


def called(*arguments: str, answer: str = "") -> Any:
    return CliRunner().invoke(command, arguments, input=answer, standalone_mode=False)


def test_the_command_line_checks_and_prunes(store: SQLBackend) -> None:
    url = ["--backend", store.url]
    assert "7 runs" in called("check", *url).output
    assert json.loads(called("check", *url, "--json").output)["faults"] == []
    planned = called("prune", *url, "--older-than", "150m", "--keep-last", "1", "--dry-run")
    assert planned.output == "3 runs would be deleted\n"
    done = called("prune", *url, "--older-than", "150m", "--keep-last", "1", "-q")
    assert done.output == "Deleted 3 runs\n"
    assert called("upgrade", *url).output.endswith(f"has revision {migrations.HEAD}\n")


def test_it_asks_before_it_brings_a_database_back_and_says_where_the_copy_is(store: SQLBackend) -> None:
    words, sqlite = ("downgrade", "--backend", store.url, "0003"), store.url.startswith("sqlite")
    store.put_document(Document(kind="value", name="cursor", data={"value": 42}))
    done = called(*words, answer="n\n")
    assert type(done.exception) is click.Abort
    assert ("a copy is kept" if sqlite else "no copy is kept: take one with pg_dump") in done.output
    assert [one.name for one in store.list_documents("value")] == ["cursor"]
    store.close()
    done = called(*words, "--yes")
    assert "lost" not in done.output
    *_, told = done.output.splitlines()
    if sqlite:
        copy = told.removeprefix("As it was it is in ")
        assert [one.name for one in SQLBackend(f"sqlite:///{copy}").list_documents("value")] == ["cursor"]
    else:
        assert told.endswith("has revision 0003; this penstock would bring it up again")
    assert store.list_documents("value") == []
    assert called(*words, answer="y\n").exit_code == 0
    assert "There is no revision '9'" in str(called(*words[:-1], "9").exception)


@pytest.mark.parametrize(
    ("age", "told"),
    [("soon", "write it as 30d, 12h, 90m or 4w"), ("9999999d", "before the year 1"), (f"{'9' * 20}w", "1")],
)
def test_an_age_is_a_number_with_a_unit(tmp_path: Path, age: str, told: str) -> None:
    done = called("prune", "--backend", f"sqlite:///{tmp_path}/p.db", "--older-than", age)
    assert isinstance(done.exception, click.BadParameter)
    assert told in str(done.exception)


def test_a_copy_of_postgresql_is_taken_with_its_own_tool(postgresql: Any) -> None:
    done = called("backup", "--backend", postgresql.make_database(), "/tmp/never")  # noqa: S108 - never written
    assert "pg_dump" in str(done.exception)
