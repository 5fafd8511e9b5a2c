"""Secrets are asked for by name, where they are needed, and shown nowhere."""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penstock import Flow, Secret, context, errors, logs, redaction, task


def test_the_context_goes_over_the_environment_and_that_over_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Secret("TOKEN")
    assert not token.exists()
    (home / "secrets").mkdir(parents=True)
    (home / "secrets" / "TOKEN").write_text("from the file\n", encoding="utf-8")
    assert token.get() == "from the file"
    monkeypatch.setenv("TOKEN", "from the environment")
    assert token.get() == "from the environment"
    monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "from a variable of penstock's own")
    assert token.get() == "from a variable of penstock's own"
    with context(secrets={"TOKEN": "from the context"}):
        assert token.get() == "from the context"


def test_a_file_may_be_one_of_windows(home: Path) -> None:
    (home / "secrets").mkdir(parents=True)
    (home / "secrets" / "TOKEN").write_bytes(b"\xef\xbb\xbftwo\r\nlines\r\n")
    assert Secret("TOKEN").get() == "two\nlines"


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "secrets" / "FOLDER").mkdir(parents=True)
    (home / "secrets" / "BYTES").write_bytes(b"s3cr3t \xff")
    for name, cause in (("FOLDER", "Is a directory"), ("BYTES", "can't decode")):
        with pytest.raises(errors.SecretMissingError, match=f"{name} cannot be read: .*{cause}") as caught:
            Secret(name).get()
        assert "s3cr3t" not in str(caught.value)


def test_a_missing_one_says_how_to_set_it() -> None:
    with pytest.raises(
        errors.SecretMissingError, match=r'no secret "TOKEN". Set PENSTOCK_SECRETS__TOKEN, or: penstock'
    ):
        Secret("TOKEN").get()


@pytest.mark.parametrize("name", ["", "../x", "a b", "a/b", ".hidden", "nul\0"])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(errors.SettingsError, match="is no name for a secret"):
        Secret(name)


def test_json_objects_and_arrays_are_read_and_all_else_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, value in {'{"a": [1]}': {"a": [1]}, "[1]": [1], "0123": "0123", "true": "true", "{x": "{x"}.items():
        monkeypatch.setenv("TOKEN", text)
        assert Secret("TOKEN").get() == value


def test_what_is_in_a_json_object_is_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"user": "admin", "password": "s3cr3t"}
    monkeypatch.setenv("LOGIN", json.dumps(login))
    assert Secret("LOGIN").get() == login
    assert redaction.hidden("https://admin:s3cr3t@host") == "https://***:***@host"


def test_its_value_does_not_become_part_of_a_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    with Flow("built"), pytest.raises(errors.FlowError, match=r"inside the block of .*call it in a task"):
        Secret("TOKEN").get()


def test_it_is_compared_by_name_and_shows_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    token = Secret("TOKEN")
    token.get()
    assert repr(token) == 'Secret("TOKEN")'
    assert {token, Secret("TOKEN")} == {token}
    assert token != Secret("OTHER")


def test_a_task_has_the_secrets_of_its_run() -> None:
    @task
    def ask() -> str:
        return str(Secret("TOKEN").get())[:2]

    with Flow("asking") as flow:
        asked = ask()
    assert flow.run(context={"secrets": {"TOKEN": "s3cr3t"}}).result[asked].result == "s3"


@pytest.mark.parametrize("executor", ["in-process", "processes"])
def test_the_secrets_of_a_run_are_hidden_though_a_task_asks_its_context(executor: str) -> None:
    @task
    def leak() -> None:
        raise ValueError(context.secrets["TOKEN"])

    with Flow("leaking") as flow:
        leaked = leak()
    state = flow.run(executor=executor, context={"secrets": {"TOKEN": "s3cr3t"}}).result[leaked]
    assert state.message == "ValueError: ***"
    assert redaction.hidden(str(state.result)) == "***"


def test_what_was_asked_for_is_hidden_in_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")

    @task
    def leak() -> None:
        raise ValueError(f"401 for {Secret('TOKEN').get()}")

    with Flow("leaking") as flow:
        leaked = leak()
    state = flow.run().result[leaked]
    assert state.message == "ValueError: 401 for ***"
    assert "s3cr3t" not in json.dumps(state.context)


def test_what_was_asked_for_is_hidden_in_logs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    value = 'two\n"lines"'
    with monkeypatch.context() as changed:  # what the whole test stands on is not undone with it
        changed.setenv("TOKEN", value)
        changed.setattr(logging.getLogger(), "handlers", [])
        changed.setenv("PENSTOCK_LOGGING__FORMAT", "json")
        logs.configure(force=True)
        Secret("TOKEN").get()
        logger = logs.get_logger()
        logger.warning("the token is %s", value, url=f"https://x:{value}@host", nested={"list": [value]})
        logger.error("failed", exc_info=ValueError(value))
        logging.getLogger("penstock.other").warning("plainly %s", value)
    logs.configure(force=True)
    shown = capsys.readouterr().err
    assert shown.count("***") >= 4
    assert "two" not in shown


class Client:
    def __init__(self, token: str) -> None:
        self.token = token

    def __repr__(self) -> str:
        return f"<Client {self.token!r}>"


class Shy:
    def __repr__(self) -> str:
        raise ValueError("not now")


@pytest.mark.parametrize("value", ["s3cr3t", 'two\n"lines"'])
@pytest.mark.parametrize(
    "wrap",
    [Client, lambda text: {text}, str.encode, ValueError, lambda text: [Client(text)]],
    ids=["object", "set", "bytes", "error", "within"],
)
def test_what_shows_a_secret_by_its_repr_is_hidden_too(value: str, wrap: Callable[[str], object]) -> None:
    redaction.hide(value)
    shown = repr(redaction.hidden({"kept": wrap(value)}))
    assert "***" in shown
    assert not any(part in shown for part in ("s3cr3t", "two"))


def test_a_secret_is_hidden_without_the_space_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t\n")
    assert redaction.hidden(f"Bearer {Secret('TOKEN').get().strip()}, {Secret('TOKEN').get()}") == "Bearer ***, ***\n"
    redaction.hide("  ab \n")
    assert redaction.hidden("  ab \n") == "  ab \n"


def test_what_shows_no_secret_stays_what_it_is() -> None:
    redaction.hide("s3cr3t")
    redaction.hide("12345")
    for value in (12345, 12345.0, None, True, Client("x"), b"x", {1}):
        assert redaction.hidden(value) is value
    assert redaction.hidden(Shy()) == "<Shy, which cannot be shown>"


def test_threads_that_hide_at_once_lose_none() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: redaction.hide(f"hidden {number};"), range(500)))
    assert {redaction.hidden(f"hidden {number};") for number in range(500)} == {"***"}


def test_short_values_are_not_hidden_since_they_are_part_of_words() -> None:
    redaction.hide("ab")
    assert redaction.hidden("abc") == "abc"
    redaction.hide({"user": "name", "keys": ["key-1", "key-2"]})
    assert redaction.hidden(["the key-1", ("key-2", 3)]) == ["the ***", ("***", 3)]
