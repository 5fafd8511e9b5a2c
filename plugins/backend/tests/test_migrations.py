from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from penstock import clock, errors, states
from penstock.backends.models import Log, StateReport
from penstock.spec import FlowSpec
from penstock_backend import SQLBackend, migrations, tables
from penstock_backend.sqlite_file import SQLiteFile


def test_the_revision_that_is_worked_with_is_the_newest_one() -> None:
    assert migrations.revisions()[0] == migrations.HEAD


def test_a_migrated_database_has_exactly_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    database = SQLiteFile(tmp_path / "penstock.db")
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    database.close()


def test_every_migration_can_be_undone_and_done_again(tmp_path: Path) -> None:
    database = SQLiteFile(tmp_path / "penstock.db")
    configuration = migrations.config()
    with database.writing() as connection:
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        command.upgrade(configuration, "head")
        assert set(tables.metadata.tables) < set(inspect(connection).get_table_names())
    database.close()


def gone_back(path: Path, revision: str) -> set[str]:
    """Bring the database at *path* to an older form, and return the columns that flow runs have in it."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        configuration = migrations.config()
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, revision)
        columns = {str(column["name"]) for column in inspect(connection).get_columns("flow_runs")}
    engine.dispose()
    return columns


def test_a_database_of_the_first_form_keeps_every_row(tmp_path: Path) -> None:
    store = SQLBackend(f"sqlite:///{tmp_path / 'penstock.db'}")
    store.create_project("tutorial")
    store.register_flow(FlowSpec(name="hello"), project="tutorial")
    asked = store.create_flow_run("tutorial", "hello", parameters={})
    store.close()
    database = SQLiteFile(tmp_path / "penstock.db")
    with database.reading() as connection:
        states = connection.execute(text("SELECT * FROM flow_run_states")).all()
    database.close()
    assert "clock" not in gone_back(database.path, "0001")
    assert store.get_flow_run(asked.id) == asked
    store.close()
    with database.writing() as connection:
        assert connection.execute(text("SELECT * FROM flow_run_states")).all() == states != []
        connection.execute(text("DELETE FROM flow_runs"))
        assert connection.execute(text("SELECT * FROM flow_run_states")).all() == []
    database.close()


def test_going_back_keeps_every_line_and_when_runs_are_due(tmp_path: Path) -> None:
    store = SQLBackend(f"sqlite:///{tmp_path / 'penstock.db'}")
    store.create_project("tutorial")
    store.register_flow(FlowSpec(name="hello"), project="tutorial")
    run = store.create_flow_run("tutorial", "hello").id
    tomorrow = clock.now() + timedelta(days=1)
    for number in (1, 2):
        (claim,) = store.claim("ann")
        line = Log(sequence=1, attempt=1, timestamp=clock.now(), level="INFO", logger="root", message=f"lease {number}")
        store.report_logs(run, claim.fence, [line])
        store.report_states(run, claim.fence, [StateReport(state=states.Paused().serialize(), timestamp=clock.now())])
        store.set_state(run, states.Resume().serialize())
    store.set_state(run, states.Scheduled(start_time=tomorrow).serialize())
    store.close()
    assert "due" not in gone_back(tmp_path / "penstock.db", "0005")
    assert [line.message for line in store.list_logs(run)] == ["lease 1", "lease 2"]
    assert store.claim("ann") == []
    assert store.get_flow_run(run).scheduled_time == tomorrow
    store.close()


def test_a_database_of_a_newer_penstock_is_refused_naming_both_revisions_and_left_alone(tmp_path: Path) -> None:
    database = SQLiteFile(tmp_path / "penstock.db")
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    before = database.path.read_bytes()
    backend = SQLBackend(f"sqlite:///{database.path}")
    with pytest.raises(
        errors.BackendVersionError, match=rf"9999.*{migrations.HEAD}.*Upgrade penstock-backend"
    ) as caught:
        backend.list_projects()
    assert str(database.path) in str(caught.value)
    assert caught.value.exit_code == 3
    assert database.path.read_bytes() == before


def test_a_database_of_somebody_else_is_refused_naming_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = SQLiteFile(path)
    with other.writing() as connection:
        for table in inspect(connection).get_table_names():
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("CREATE TABLE customers (id INTEGER)"))
    other.close()
    with pytest.raises(errors.BackendUnreachableError, match=r"not penstock's.*customers"):
        SQLBackend(f"sqlite:///{path}").list_projects()
