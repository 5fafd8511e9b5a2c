"""Settings: where they come from, which goes over which, and what is refused."""

import re
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import Mock

import pytest

from penstock import Flow, errors, settings
from penstock.settings import Loaded


def load(folder: Path, **environ: str) -> Loaded:
    return settings.load({"PENSTOCK_HOME": str(folder / "home"), **environ}, folder)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_set_there_are_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings.executor == {"type": "in-process"}
    assert loaded.settings.agent.lease_seconds == 30
    assert loaded.settings.backend_options() == {"url": f"sqlite:///{tmp_path}/home/penstock.db"}


def test_the_environment_goes_over_the_project_and_the_project_over_the_home(tmp_path: Path) -> None:
    home = write(tmp_path / "home/config.toml", "[agent]\nlimit = 1\ngrace_seconds = 1\nlease_seconds = 1\n")
    project = write(tmp_path / "penstock.toml", "[agent]\nlimit = 2\ngrace_seconds = 2\n")
    loaded = load(tmp_path / "below", PENSTOCK_AGENT__LIMIT="3", PENSTOCK_HOME=str(tmp_path / "home"))
    agent = loaded.settings.agent
    assert (agent.limit, agent.grace_seconds, agent.lease_seconds) == (3, 2, 1)
    assert loaded.origins["agent.limit"] == "PENSTOCK_AGENT__LIMIT"
    assert loaded.origins["agent.grace_seconds"] == str(project)
    assert loaded.origins["agent.lease_seconds"] == str(home)


def test_pyproject_counts_if_it_has_a_table_for_penstock(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.penstock.logging]\nlevel = 'debug'\n")
    write(tmp_path / "inner/pyproject.toml", "[tool.other]\nx = 1\n")
    assert load(tmp_path / "inner").settings.logging.level == "DEBUG"


def test_a_kind_is_set_by_name_with_options_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "penstock.toml", "[executor]\ntype = 'threads'\nmax_workers = 8\n")
    assert load(tmp_path).settings.executor == {"type": "threads", "max_workers": 8}
    more = load(tmp_path, PENSTOCK_EXECUTOR__MAX_WORKERS="4")
    assert more.settings.executor == {"type": "threads", "max_workers": 4}
    other = load(tmp_path, PENSTOCK_EXECUTOR="processes", PENSTOCK_EXECUTOR__NAMES='["a"]')
    assert other.settings.executor == {"type": "processes", "names": ["a"]}
    assert other.origins["executor.type"] == "PENSTOCK_EXECUTOR"


def test_a_kind_is_set_by_url(tmp_path: Path) -> None:
    assert load(tmp_path, PENSTOCK_BACKEND="sqlite:///x.db").settings.backend == {"url": "sqlite:///x.db"}
    written = "memory://results | zstd:5 | fernet:KEY"
    expected = {"url": "memory://results", "layers": ["zstd:5", "fernet:KEY"]}
    assert load(tmp_path, PENSTOCK_RESULT=written).settings.result == expected


def test_secrets_are_no_settings(tmp_path: Path) -> None:
    assert load(tmp_path, PENSTOCK_SECRETS__NAME="x").settings == load(tmp_path).settings


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"PENSTOCK_EXECUTER": "threads"}, "PENSTOCK_EXECUTER is no setting. Did you mean PENSTOCK_EXECUTOR?"),
        (
            {"PENSTOCK_AGENT__LIMITS": "3"},
            r"no setting agent.limits. Did you mean limit\?   \(from PENSTOCK_AGENT__LIMITS\)",
        ),
        ({"PENSTOCK_AGENT__LIMIT": "some"}, r"agent.limit: .*integer.*found 'some'   \(from PENSTOCK_AGENT__LIMIT\)"),
        ({"PENSTOCK_LOGGING__LEVEL": "LOUD"}, "logging.level: Input should be 'DEBUG', 'INFO', .*'LOUD'"),
    ],
    ids=["section", "key", "type", "value"],
)
def test_a_wrong_variable_is_an_error_that_names_it(environ: Mapping[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match=message):
        load(tmp_path, **environ)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[agent]\nlimt = 3", "agent.limt. Did you mean limit"),
        ("[agnt]\nlimit = 3", "no setting agnt"),
        ("[agent\n", "cannot be read as TOML"),
        ("executor = 5", "executor: .*found 5"),
    ],
    ids=["key", "section", "syntax", "type"],
)
def test_a_wrong_file_is_an_error_that_names_it(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "penstock.toml", text)
    with pytest.raises(errors.SettingsError, match=message) as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "penstock.toml", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", Mock(side_effect=PermissionError(13, "Permission denied")))
        with pytest.raises(errors.SettingsError, match=f"{path} cannot be read as TOML: Permission denied"):
            load(tmp_path)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_bytes(b"\xef\xbb\xbf[agent]\nlimit = 3\n")
    assert load(tmp_path).settings.agent.limit == 3


def test_options_in_the_environment_take_the_place_of_what_is_no_table(tmp_path: Path) -> None:
    write(tmp_path / "penstock.toml", "executor = 5")
    assert load(tmp_path, PENSTOCK_EXECUTOR__MAX_WORKERS="3").settings.executor == {"max_workers": 3}


@pytest.mark.parametrize("home", ["5", '"~nobody-here/x"', "[1]"])
def test_a_home_that_cannot_be_is_an_error(home: str, tmp_path: Path) -> None:
    write(tmp_path / "penstock.toml", f"home = {home}")
    with pytest.raises(errors.SettingsError, match="The setting home cannot be"):
        settings.load({}, tmp_path)
    with pytest.raises(errors.SettingsError, match="The setting home cannot be '~nobody-here'"):
        load(tmp_path, PENSTOCK_HOME="~nobody-here")


def test_an_empty_home_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, PENSTOCK_HOME="").settings.home == settings.load({}, tmp_path).settings.home


def test_a_wrong_option_of_a_kind_says_where_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_EXECUTOR", "threads")
    monkeypatch.setenv("PENSTOCK_EXECUTOR__MAX_WORKER", "3")
    message = 'no option "max_worker". Did you mean max_workers?   (from PENSTOCK_EXECUTOR__MAX_WORKER)'
    with settings.override(), pytest.raises(errors.SettingsError, match=re.escape(message)):
        Flow("empty").run()


def test_overrides_hold_inside_their_block() -> None:
    with settings.override({"agent": {"limit": 7}}) as inner:
        assert settings.get() is inner
        assert inner.agent.limit == 7
        assert settings.loaded().origins["agent.limit"] == "command line"
    assert settings.get().agent.limit is None
