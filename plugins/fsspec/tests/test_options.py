"""Credentials travel by name."""

from typing import Any

import pytest

from penstock import Flow, Secret, errors, redaction
from penstock.storage import Storage
from penstock_fsspec import FsspecResult, FsspecStorage
from penstock_fsspec.options import revealed
from penstock_fsspec.testing import failing


def test_of_a_secret_only_the_name_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"key": "AKIA", "password": Secret("PASSWORD"), "client_kwargs": {"list": [Secret("OTHER"), 1]}}
    storage = FsspecStorage("memory://x", storage_options={name: options[name] for name in options if name != "key"})
    spec = storage.spec()
    assert spec.options["storage_options"] == {
        "password": {"secret": "PASSWORD"},
        "client_kwargs": {"list": [{"secret": "OTHER"}, 1]},
    }
    restored = Storage.restore(spec)
    assert restored == storage
    assert isinstance(restored, FsspecStorage)
    monkeypatch.setenv("PASSWORD", "s3cr3t")
    monkeypatch.setenv("OTHER", "another")
    assert revealed(restored.storage_options) == {"password": "s3cr3t", "client_kwargs": {"list": ["another", 1]}}
    assert restored.storage_options["password"] == Secret("PASSWORD")


def test_an_option_that_is_called_secret_travels_too() -> None:
    storage = FsspecStorage("memory://x", storage_options={"secret": Secret("KEY")})
    assert Storage.restore(storage.spec()) == storage


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"password": "s3cr3t"}, "storage_options.password"),
        ({"key": "s3cr3t"}, "storage_options.key"),
        ({"client_kwargs": {"aws_secret_access_key": "s3cr3t"}}, "storage_options.client_kwargs.aws_secret_access_key"),
        ({"AccountKey": "s3cr3t"}, "storage_options.AccountKey"),
        ({"clientSecret": "s3cr3t"}, "storage_options.clientSecret"),
        ({"pass": "s3cr3t"}, "storage_options.pass"),
        ({"auth": ["user", "s3cr3t"]}, "storage_options.auth.password"),
        ({"hosts": [{"password": "s3cr3t"}]}, "storage_options.hosts.password"),
        ({"tokens": {"token": ["s3cr3t"]}}, "storage_options.tokens.token"),
        ({"endpoint": "https://user:s3cr3t@host"}, "storage_options.endpoint"),
        ({"proxies": ["https://s3cr3t@host"]}, "storage_options.proxies"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_credential_that_would_travel_is_refused(options: dict[str, Any], named: str) -> None:
    with Flow("kept") as flow:
        pass
    flow.storage = FsspecStorage("memory://x", storage_options=options)
    with pytest.raises(errors.StorageError, match=rf'"{named}".* looks like a credential.*Secret\("') as caught:
        flow.serialize()
    assert "s3cr3t" not in str(caught.value)


def test_a_password_in_a_url_is_refused() -> None:
    with pytest.raises(errors.StorageError, match='"url" of the fsspec result looks like a credential'):
        FsspecResult("sftp://user:s3cr3t@host/results").spec()


@pytest.mark.parametrize("error", [ValueError("no key: s3cr3t"), OSError("no key: s3cr3t"), RuntimeError("s3cr3t")])
def test_what_a_client_says_shows_no_secret(error: Exception) -> None:
    redaction.hide("s3cr3t")
    with pytest.raises(errors.ResultError, match=r"\*\*\*") as caught:
        failing(FsspecResult("memory://x"), error, 1).exists("a")
    assert "s3cr3t" not in str(caught.value)


def test_other_options_travel_as_they_are() -> None:
    options = {"anon": True, "client_kwargs": {"region_name": "eu", "verify": False}, "keyword": "x", "port": 22}
    options |= {"proxy": "socks5://me@host", "auth": "basic", "scopes": ["a://b", "c"], "compass": "x", "monkey": "y"}
    assert FsspecStorage("memory://x", storage_options=options).spec().options["storage_options"] == options
