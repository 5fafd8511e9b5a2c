"""PostgreSQL, where it differs from a file: several machines, cut connections, rows locked one by one."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from penstock import clock, errors, states
from penstock.backends import Backend
from penstock.backends.models import StateReport
from penstock.spec import FlowSpec
from penstock.testing import VirtualClock
from penstock_backend import SQLBackend, migrations, tables
from penstock_backend.backend import database_at
from penstock_backend.testing import PostgreSQL


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.make_database()


@pytest.fixture
def backend(url: str) -> Iterator[SQLBackend]:
    backend = SQLBackend(url)
    backend.create_project("tutorial")
    backend.register_flow(FlowSpec(name="hello"), project="tutorial")
    yield backend
    backend.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_class_is_found_by_the_scheme_of_a_url(scheme: str) -> None:
    backend = Backend.resolve(f"{scheme}://ann:pass@db.example/penstock")
    assert type(backend) is SQLBackend
    assert backend.url == "postgresql://ann:pass@db.example/penstock"
    assert Backend.restore(backend.spec()).spec() == backend.spec()


def test_an_empty_database_is_given_its_tables_at_first_use_by_several_at_once(postgresql: PostgreSQL) -> None:
    url = postgresql.make_database(empty=True)
    backends = [SQLBackend(url) for _ in range(4)]
    threads = [threading.Thread(target=backend.create_project, args=("tutorial",)) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [[project.name for project in backend.list_projects()] for backend in backends] == [["tutorial"]] * 4
    for backend in backends:
        backend.close()


def test_what_the_database_cannot_keep_is_refused_and_no_sign_of_its_absence(backend: SQLBackend) -> None:
    backend.create_flow_run("tutorial", "hello")
    (claim,) = backend.claim("ann")
    huge = StateReport(state=states.Running().serialize(), timestamp=clock.now(), slug="load-1", map_index=1 << 40)
    with pytest.raises(errors.ConflictError, match="cannot keep a value"):
        backend.report_states(claim.run.id, claim.fence, [huge])


def test_a_migrated_database_has_exactly_the_tables_that_the_code_knows(url: str) -> None:
    database = database_at(url)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    database.close()


def test_every_migration_can_be_undone_and_done_again(url: str) -> None:
    database = database_at(url)
    configuration = migrations.config()
    with database.writing() as connection:
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        command.upgrade(configuration, "head")
        assert set(tables.metadata.tables) < set(inspect(connection).get_table_names())
    database.close()


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    backend = SQLBackend("postgresql://ann:s3cr3t@127.0.0.1:9/penstock")
    with pytest.raises(errors.BackendUnreachableError, match=r"postgresql://ann:\*\*\*@127.0.0.1:9/penstock") as caught:
        backend.list_projects()
    assert "s3cr3t" not in str(caught.value)


def test_a_database_that_is_not_there_is_named(postgresql: PostgreSQL) -> None:
    url = postgresql.make_database().replace("/penstock_", "/nowhere_")
    with pytest.raises(errors.BackendUnreachableError, match=r"nowhere_.*does not exist"):
        SQLBackend(url).list_projects()


def test_a_missing_driver_is_named_with_what_to_install() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from penstock import errors; from penstock_backend import SQLBackend\n"
        "try: SQLBackend('postgresql://host/db').list_projects()\n"
        "except errors.PluginMissingError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'penstock-backend[postgresql]'" in done.stdout


def test_a_server_that_stops_is_out_of_reach_and_nothing_acknowledged_is_lost_when_it_is_back() -> None:
    with PostgreSQL() as server:
        backend = SQLBackend(server.make_database())
        backend.create_project("tutorial")
        server.stop_at_once()
        with pytest.raises(errors.BackendUnreachableError):
            backend.list_projects()
        server.start()
        assert [project.name for project in backend.list_projects()] == ["tutorial"]
        backend.close()


def test_two_agents_take_different_runs_at_the_same_moment(backend: SQLBackend, url: str) -> None:
    made = [backend.create_flow_run("tutorial", "hello").id for _ in range(2)]
    other, taken = SQLBackend(url), list[str]()
    database = database_at(url)
    with database.writing() as connection:
        connection.execute(text("SELECT id FROM flow_runs WHERE id = :id FOR UPDATE"), {"id": made[0]})
        taken += [claim.run.id for claim in other.claim("bob")]
    taken += [claim.run.id for claim in backend.claim("ann")]
    assert taken == made[::-1]
    other.close()
    database.close()


def test_a_report_waits_for_the_one_before_and_is_judged_by_what_that_left(backend: SQLBackend, url: str) -> None:
    backend.create_flow_run("tutorial", "hello")
    (claim,) = backend.claim("ann")
    database, failed = database_at(url), list[Exception]()

    def renew() -> None:
        try:
            backend.heartbeat(claim.run.id, claim.fence)
        except errors.LeaseLostError as error:
            failed.append(error)

    thread = threading.Thread(target=renew)
    with database.writing() as connection:
        connection.execute(text("UPDATE flow_runs SET fence = fence + 1 WHERE id = :id"), {"id": claim.run.id})
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join(20)
    assert len(failed) == 1
    database.close()


def test_a_watch_tells_of_runs_that_become_due_or_end_and_of_nothing_else(backend: SQLBackend, url: str) -> None:
    database = database_at(url)
    with database.watching() as watch:
        run = backend.create_flow_run("tutorial", "hello").id
        assert watch.wait(30)
        (claim,) = backend.claim("ann")
        backend.report_states(run, claim.fence, [StateReport(state={"type": "Running"}, timestamp=clock.now())])
        backend.heartbeat(run, claim.fence)
        backend.create_project("other")
        assert not watch.wait(0.1)
        backend.report_states(run, claim.fence, [StateReport(state={"type": "Success"}, timestamp=clock.now())])
        assert watch.wait(30)
        assert not watch.wait(0.1)
    database.close()


def test_waiting_ends_with_the_run_though_notices_are_lost(
    backend: SQLBackend, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_backend.backend._AGAIN_SECONDS", 0.05)
    database = database_at(url)
    with database.migrating() as connection:
        connection.execute(text("ALTER TABLE flow_runs DISABLE TRIGGER penstock_tell_of_runs"))
    database.close()
    run = backend.create_flow_run("tutorial", "hello").id
    other = threading.Timer(0.2, backend.cancel_flow_run, [run])
    other.start()
    assert backend.wait_for_flow_run(run, timeout=30).state.type == "Cancelled"
    other.join()


def test_waiting_in_virtual_time_gives_up_at_once(backend: SQLBackend) -> None:
    run = backend.create_flow_run("tutorial", "hello").id
    with clock.use(VirtualClock()), pytest.raises(TimeoutError, match="Scheduled after 3600 s"):
        backend.wait_for_flow_run(run, timeout=3600)


def test_who_watches_hears_that_the_connection_was_cut(url: str) -> None:
    database, other = database_at(url), database_at(url)
    listening = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"

    def watch_while_it_is_cut() -> None:
        with database.watching() as watch:
            with other.writing() as connection:
                assert connection.execute(text(f"SELECT pg_terminate_backend(pid) {listening}")).all() == [(True,)]
            watch.wait(30)

    with pytest.raises(errors.BackendUnreachableError, match="the connection is lost"):
        watch_while_it_is_cut()
    other.close()
    database.close()


class Behind(clock.Clock):
    """The clock of a machine that is ten minutes behind."""

    def now(self) -> datetime:
        return super().now() - timedelta(minutes=10)


def test_a_machine_whose_clock_is_wrong_takes_runs_and_keeps_its_leases(backend: SQLBackend) -> None:
    asked = backend.create_flow_run("tutorial", "hello")
    with clock.use(Behind()):
        (claim,) = backend.claim("ann", lease_seconds=30)
        assert claim.run.id == asked.id
    assert backend.end_lost_runs() == 0
    with clock.use(Behind()):
        backend.heartbeat(asked.id, claim.fence, lease_seconds=-1)
        assert backend.end_lost_runs() == 1
