import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from penstock import errors
from penstock.backends import Backend
from penstock_backend import SQLBackend, sqlite_file
from penstock_backend.sqlite_file import SQLiteFile


def test_the_database_and_its_folder_are_made_on_first_use(tmp_path: Path) -> None:
    backend = SQLBackend(f"sqlite:///{tmp_path}/a/b/penstock.db")
    assert not (tmp_path / "a").exists()
    assert backend.list_projects() == []
    backend.close()
    assert (tmp_path / "a/b/penstock.db").is_file()


def test_what_is_written_is_on_disk_in_wal_mode_with_foreign_keys_checked(tmp_path: Path) -> None:
    database = SQLiteFile(tmp_path / "penstock.db")
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize("content", [b"a text of some length\n" * 100, b"SQLite format 3\0" + os.urandom(4096)])
def test_a_file_that_is_no_database_is_refused_by_name_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "penstock.db"
    path.write_bytes(content)
    with pytest.raises(errors.BackendUnreachableError, match=str(path)) as caught:
        SQLBackend(f"sqlite:///{path}").list_projects()
    assert caught.value.exit_code == 3
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "penstock.db", Path("/proc/penstock/penstock.db")):
        with pytest.raises(errors.BackendUnreachableError, match=str(path)):
            SQLBackend(f"sqlite:///{path}").create_project("tutorial")


def test_a_number_that_is_too_large_is_refused_and_no_sign_of_absence(tmp_path: Path) -> None:
    backend = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
    with pytest.raises(errors.ConflictError, match=r"penstock\.db cannot keep a value: .*too large"):
        backend.list_flow_runs(limit=1 << 70)
    backend.close()


def test_a_write_that_the_database_refuses_is_an_error_that_names_it(tmp_path: Path) -> None:
    backend = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
    backend.create_project("tutorial")
    with sqlite3.connect(tmp_path / "penstock.db") as connection:
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON projects BEGIN SELECT RAISE(FAIL, 'not today'); END")
    connection.close()
    with pytest.raises(errors.ConflictError, match=r"penstock\.db.*not today"):
        backend.create_project("other")
    assert [one.name for one in backend.list_projects()] == ["tutorial"]
    backend.close()


def test_a_backend_works_on_after_it_was_closed(tmp_path: Path) -> None:
    backend = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
    backend.create_project("tutorial")
    backend.close()
    assert [one.name for one in backend.list_projects()] == ["tutorial"]
    backend.close()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("mysql+pymysql://host/db", "not keep its data in mysql; expected sqlite:///PATH or postgresql://"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("penstock.db", "cannot be read"),
    ],
)
def test_a_url_that_names_no_database_it_can_use_is_refused(url: str, match: str) -> None:
    with pytest.raises(errors.SettingsError, match=match):
        SQLBackend(url)


def test_a_path_is_made_absolute_so_that_other_processes_find_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert SQLBackend("sqlite:///a.db").spec().options == {"url": f"sqlite:///{tmp_path}/a.db"}
    assert SQLBackend("sqlite:///~/a.db").url == f"sqlite:///{tmp_path}/home/a.db"


def test_the_class_is_found_by_type_and_by_the_scheme_of_a_url(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/penstock.db"
    by_url, by_type = Backend.resolve(url), Backend.resolve({"type": "sql", "url": url})
    assert type(by_url) is type(by_type) is SQLBackend
    assert Backend.restore(by_url.spec()).spec() == by_url.spec() == by_type.spec()
    assert by_url.spec().distribution == "penstock-backend"


def test_a_transaction_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    database = SQLiteFile(tmp_path / "penstock.db")
    with contextlib.suppress(KeyError), database.writing() as connection:
        connection.execute(text("INSERT INTO projects VALUES ('1', 'tutorial', '', '2026-01-01 00:00:00.000000')"))
        raise KeyError
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM projects")).scalar_one() == 0
    database.close()


def test_a_reader_is_not_held_up_by_a_writer_and_sees_one_moment(tmp_path: Path) -> None:
    database = SQLiteFile(tmp_path / "penstock.db")
    count = text("SELECT count(*) FROM projects")
    seen: list[int] = []

    def read() -> None:
        with database.reading() as reader:
            seen.append(reader.execute(count).scalar_one())

    with database.writing() as connection:
        connection.execute(text("INSERT INTO projects VALUES ('1', 'tutorial', '', '2026-01-01 00:00:00.000000')"))
        thread = threading.Thread(target=read)
        thread.start()
        thread.join(20)
    read()
    database.close()
    assert seen == [0, 1]


def test_a_watch_tells_of_commits_and_of_nothing_else(tmp_path: Path) -> None:
    database = SQLiteFile(tmp_path / "penstock.db")
    with database.watching() as watch:
        assert not watch.wait(0)
        with database.reading() as connection:
            connection.execute(text("SELECT 1"))
        assert not watch.wait(0)
        with database.writing() as connection:
            connection.execute(text("DELETE FROM projects"))
            connection.execute(text("INSERT INTO projects VALUES ('1', 'a', '', '2026-01-01 00:00:00.000000')"))
        assert watch.wait(0)
        assert not watch.wait(0)
    database.close()


def test_a_database_that_another_program_holds_is_named_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_WAIT_SECONDS", 0.2)
    backend = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
    backend.create_project("tutorial")
    other = sqlite3.connect(tmp_path / "penstock.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.BackendUnreachableError, match=r"penstock\.db is held by another program"):
        backend.create_project("second")
    assert [one.name for one in backend.list_projects()] == ["tutorial"]
    other.rollback()
    other.close()
    backend.create_project("second")
    backend.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_database_on_a_network_file_system_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path}/far {kind} rw 0 0\n", encoding="utf-8")
    monkeypatch.setattr(sqlite_file, "_MOUNTS", mounts)
    with pytest.raises(errors.BackendUnreachableError, match=rf"far/a/p\.db lies on a network file system \({kind}\)"):
        SQLBackend(f"sqlite:///{tmp_path}/far/a/p.db").list_projects()
    assert not (tmp_path / "far").exists()
    SQLBackend(f"sqlite:///{tmp_path}/near/p.db").list_projects()


def test_a_database_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/penstock.db"
    backend = SQLBackend(url)
    backend.create_project("tutorial")
    backend.close()
    ask = "import sys; from penstock_backend import SQLBackend; SQLBackend(sys.argv[1]).create_project('second')"
    command = [sys.executable, "-c", ask, url]
    if os.geteuid() == 0:  # for whom permissions are no obstacle
        mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        command = ["unshare", "-m", "sh", "-c", mount, str(tmp_path), *command]
    else:
        for path in tmp_path.iterdir():
            path.chmod(0o444)
        tmp_path.chmod(0o555)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tmp_path.chmod(0o755)
    last = done.stderr.strip().splitlines()[-1]
    assert f"BackendUnreachableError: The database {tmp_path}/penstock.db cannot be opened: " in last
    assert [one.name for one in SQLBackend(url).list_projects()] == ["tutorial"]


def test_a_writer_that_is_held_up_gives_up_and_leaves_the_turn_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_WAIT_SECONDS", 0.2)
    one, two = (SQLBackend(f"sqlite:///{tmp_path}/penstock.db") for _ in range(2))
    one.create_project("tutorial")
    database = SQLiteFile(tmp_path / "penstock.db")
    with database.writing() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(errors.BackendUnreachableError, match=r"is busy: another process has held .*db\.lock"):
            two.create_project("second")
    assert two.create_project("second").name == "second"  # who gave up holds nothing
    for backend in (one, two, database):
        backend.close()
