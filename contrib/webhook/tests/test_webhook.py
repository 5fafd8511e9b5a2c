"""Flows behind HTTP requests: the contract, what is filled in, and all that a server can answer."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
import stamina

from penstock import Flow, Secret, errors
from penstock.storage import Reference, Source, Storage, load_flows
from penstock.testing.storages import Failing, StorageContract
from penstock_webhook import Webhook
from penstock_webhook.requests import Request

KEY = "k3y/with+signs"
FLOW = b"from penstock import Flow\nwith Flow('hooked') as flow:\n    pass\n"


def webhook(server: Any, path: str = "/flows/${location}", **options: Any) -> Any:
    request = {"url": f"{server.address}{path}", "headers": {"X-Api-Key": "${FLOWS_KEY}"}, **options}
    return Webhook(request, "post", request, "get")


def source(content: bytes = FLOW) -> Source:
    from penstock import clock

    return Source("hooked", content, "script", clock.now())


class TestWebhook(StorageContract):
    @pytest.fixture
    def storage(self, server: Any) -> Storage:
        return webhook(server)  # type: ignore[no-any-return]

    @pytest.fixture
    def failing(self) -> Iterator[Failing]:
        def failing(storage: Any, error: Exception, call: int) -> Storage:
            numbers = count(1)

            class Transport(httpx2.HTTPTransport):
                def handle_request(self, request: httpx2.Request) -> httpx2.Response:
                    if next(numbers) == call:
                        raise error
                    return super().handle_request(request)

            class Unlucky(Webhook):
                def client(self, request: Request) -> httpx2.Client:
                    return httpx2.Client(transport=Transport())

            return Unlucky(**dict(storage))

        with stamina.set_testing(True, attempts=1):
            yield failing


class TestFillingIn:
    def test_names_travel_and_values_are_sent(self, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BASE", server.address)
        monkeypatch.setenv("PLAIN", "a%20b")
        monkeypatch.setenv("USER_WORD", "pa:ss wörd")
        options = {
            "url": "${BASE}/flows/x?word=${PLAIN}&price=$$5",
            "headers": {"X-Api-Key": Secret("FLOWS_KEY"), "X-Digest": "${sha256}"},
            "params": {"place": "${location}", "list": ["${FLOWS_KEY}", "b"]},
            "cookies": {"session": "${FLOWS_KEY}"},
            "auth": ("me", "${USER_WORD}"),
        }
        storage: Any = Webhook(options, "PUT", options, "GET")
        travelled = storage.spec().model_dump_json()
        assert KEY not in travelled
        storage = Storage.restore(json.loads(travelled))
        reference = storage.put(source())
        assert storage.fetch(reference) == FLOW
        for asked in server.asked:
            assert asked.query_params.multi_items() == [
                ("word", "a b"),
                ("price", "$5"),
                ("place", reference.location),
                ("list", KEY),
                ("list", "b"),
            ]
            assert asked.headers["x-digest"] == reference.sha256
            assert asked.cookies["session"] == KEY
            assert httpx2.BasicAuth("me", "pa:ss wörd")._auth_header == asked.headers["authorization"]

    def test_a_document_may_ask_for_the_flow(self, server: Any) -> None:
        storage = Webhook(
            {"url": f"{server.address}/flows/x", "headers": {"X-Api-Key": "${FLOWS_KEY}"}},
            "PUT",
            {"url": f"{server.address}/flows/x", "json": {"wanted": ["${location}"]}, "headers": {"X-Api-Key": KEY}},
            "POST",
        )
        reference = storage.put(source())
        storage.fetch(reference)
        assert json.loads(server.files["/flows/x"]) == {"wanted": [reference.location]}

    def test_a_secret_that_nobody_knows_is_named_and_nothing_is_sent(self, server: Any) -> None:
        with pytest.raises(errors.SecretMissingError, match="NOT_KNOWN"):
            webhook(server, headers={"X": "${NOT_KNOWN}"}).put(source())
        assert not server.asked

    def test_values_of_secrets_with_templates_in_them_are_left_as_they_are(
        self, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ODD", "${FLOWS_KEY}$$")
        headers = {"X-Api-Key": "${FLOWS_KEY}", "X-Odd": "${ODD}", "X-Even": Secret("ODD")}
        webhook(server, headers=headers).put(source())
        assert {server.asked[0].headers[name] for name in ("x-odd", "x-even")} == {"${FLOWS_KEY}$$"}

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"headers": {"Authorization": "Bearer abc"}}, "get_flow_request_kwargs.headers.Authorization"),
            ({"headers": {"X-Api-Key": "abc"}}, "headers.X-Api-Key"),
            ({"url": "https://h/x?token=abc"}, r"url\?.token"),
            ({"url": "https://me:abc@h/x"}, "url"),
            ({"json": {"password": "abc"}}, "json.password"),
            ({"auth": ["me", "abc"]}, "auth.password"),
            ({"auth": ("${ME}", "abc")}, "auth.password"),
            ({"url": "https://abc@h/${location}"}, "url"),
            ({"url": "https://h/${location}?token=abc"}, r"url\?.token"),
            ({"json": [{"password": "abc"}]}, "json.password"),
        ],
        ids=[
            *["authorization", "key", "query", "user", "document"],
            *["auth", "auth-template", "token", "query-template", "list"],
        ],
    )
    def test_a_credential_that_would_travel_is_refused(self, options: dict[str, Any], named: str) -> None:
        storage = Webhook({"url": "https://h/x"}, "PUT", {"url": "https://h/x", **options}, "GET")
        with pytest.raises(errors.StorageError, match=f'{named}".* looks like a credential') as caught:
            storage.spec()
        assert "abc" not in str(caught.value)

    @pytest.mark.parametrize(
        "options",
        [
            {"auth": ["me", "${WORD}"]},
            {"auth": ["me", Secret("WORD")]},
            {"url": "https://${ME}:${WORD}@h/${location}?token=${TOKEN}"},
            {"headers": {"Authorization": "Bearer ${TOKEN}"}},
            {"json": [{"password": "${WORD}"}]},
        ],
        ids=["auth", "auth-secret", "url", "headers", "list"],
    )
    def test_names_of_credentials_travel(self, options: dict[str, Any]) -> None:
        storage = Webhook({"url": "https://h/x"}, "PUT", {"url": "https://h/x", **options}, "GET")
        assert Storage.restore(json.loads(storage.spec().model_dump_json())) == storage

    @pytest.mark.parametrize(
        ("options", "value"),
        [
            ({"url": "${ODD}"}, "ftp://h/abc"),
            ({"url": "${ODD}"}, "https:///abc"),
            ({"url": "${ODD}"}, "https://h:port"),
            ({"headers": {"X": "${ODD}"}}, "two\nlines"),
            ({"headers": {"X": "${ODD}"}}, "größe"),
        ],
        ids=["scheme", "host", "port", "lines", "letters"],
    )
    def test_what_cannot_be_sent_is_not_shown(
        self, server: Any, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], value: str
    ) -> None:
        monkeypatch.setenv("ODD", value)
        with pytest.raises((errors.SettingsError, errors.StorageError), match="cannot be sent") as caught:
            webhook(server, **options).put(source())
        assert value.splitlines()[0] not in str(caught.value)
        assert not server.asked

    def test_what_the_client_logs_shows_no_secret(self, server: Any, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        webhook(server, "/flows/x?key=${FLOWS_KEY}", params={"key": "${FLOWS_KEY}"}).put(source())
        webhook(server, "/flows/x/${FLOWS_KEY}").put(source())
        assert "HTTP Request: POST" in caplog.text
        for secret in (KEY, "k3y%2Fwith%2Bsigns", "k3y/with%2Bsigns"):
            assert secret not in caplog.text


class TestAnswers:
    @pytest.fixture
    def stored(self, server: Any) -> tuple[Any, Reference]:
        storage = webhook(server)
        return storage, storage.put(source())

    @pytest.mark.parametrize("planted", [(500, 503), (429,), (408, 502)], ids=lambda codes: "-".join(map(str, codes)))
    def test_a_fault_that_passes_is_not_seen(
        self, server: Any, stored: tuple[Any, Reference], planted: tuple[int, ...]
    ) -> None:
        storage, reference = stored
        server.plant(*planted)
        assert storage.fetch(reference) == FLOW
        server.plant(*planted)
        assert storage.put(source()).sha256 == reference.sha256

    def test_a_cut_answer_is_asked_for_again(self, server: Any, stored: tuple[Any, Reference]) -> None:
        storage, reference = stored
        server.plant_cut(FLOW)
        assert storage.fetch(reference) == FLOW
        for _ in range(3):
            server.plant_cut(FLOW)
        with pytest.raises(
            errors.StorageUnreachableError, match=r"GET http.*/flows/\$\{location\} fails: RemoteProtocolError"
        ):
            storage.fetch(reference)

    def test_a_server_that_stays_broken_is_told_of(self, server: Any, stored: tuple[Any, Reference]) -> None:
        storage, reference = stored
        server.plant(500, 500, 500)
        with pytest.raises(errors.StorageUnreachableError, match=r"fails: the answer is 500 \(planted words\)"):
            storage.fetch(reference)
        assert len(server.asked) == 4

    def test_a_server_that_hangs_is_given_up(self, server: Any) -> None:
        server.plant(None, None, None)
        with pytest.raises(errors.StorageUnreachableError, match="ReadTimeout"):
            webhook(server, timeout=[5, 0.05]).put(source())

    def test_a_server_that_is_not_there_is_told_of(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        storage = Webhook({"url": url}, "PUT", {"url": url}, "GET")
        with stamina.set_testing(True), pytest.raises(errors.StorageUnreachableError, match="ConnectError"):
            storage.put(source())

    def test_a_refusal_names_what_was_sent(self, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PENSTOCK_SECRETS__FLOWS_KEY", "an older one")
        with pytest.raises(
            errors.StorageUnreachableError, match=r"401 .* has expired.* It is sent with FLOWS_KEY"
        ) as caught:
            webhook(server).put(source())
        assert "an older one" not in str(caught.value)
        assert len(server.asked) == 1
        with pytest.raises(errors.StorageUnreachableError, match="no secret, and may need one"):
            webhook(server, headers={}).put(source())

    def test_a_server_that_repeats_the_secret_does_not_get_it_into_a_message(self, server: Any) -> None:
        from starlette.responses import Response

        server.plant(Response(f"not {KEY}".ljust(1000, "."), 400))
        with pytest.raises(
            errors.StorageUnreachableError, match=r"400 \(not \*\*\*\.+\); expected is a status of 200"
        ) as caught:
            webhook(server).put(source())
        assert KEY not in str(caught.value)

    def test_nothing_there_is_told_by_what_was_asked(self, server: Any, stored: tuple[Any, Reference]) -> None:
        storage, reference = stored
        server.files.clear()
        with pytest.raises(errors.FlowNotStoredError, match=f"no {reference.location}: GET .* is answered with 404"):
            storage.fetch(reference)
        server.plant(404)
        with pytest.raises(errors.StorageUnreachableError, match=r"POST .* is answered with 404"):
            storage.put(source())

    def test_another_content_is_refused_and_not_read_further(self, server: Any, stored: tuple[Any, Reference]) -> None:
        storage, reference = stored
        storage.references = {"hooked": reference}
        server.files = dict.fromkeys(server.files, FLOW + b"#" * 1_000_000)
        assert len(storage.fetch(reference)) == len(FLOW) + 1
        with pytest.raises(errors.SourceChangedError, match="Nothing was executed"):
            storage.get_flow("hooked")

    def test_an_address_without_a_location_holds_what_was_stored_last(self, server: Any) -> None:
        storage = webhook(server, "/flows/one")
        first, second = storage.put(source()), storage.put(source(FLOW + b"#"))
        assert storage.fetch(second) == FLOW + b"#"
        storage.references = {"hooked": first}
        with pytest.raises(errors.SourceChangedError, match="register the flow again"):
            storage.get_flow("hooked")

    def test_a_redirect_is_followed_only_if_that_is_wanted(self, server: Any, stored: tuple[Any, Reference]) -> None:
        from starlette.responses import RedirectResponse

        storage, reference = stored
        address = f"{server.address}/flows/{reference.location}"
        server.plant(RedirectResponse(address.replace("127.0.0.1", "localhost"), 302))
        with pytest.raises(errors.StorageUnreachableError, match=r"302: it leads to localhost. .*allow_redirects=True"):
            storage.fetch(reference)
        server.plant(RedirectResponse(address, 302))
        assert webhook(server, allow_redirects=True).fetch(reference) == FLOW

    def test_a_location_that_penstock_did_not_make_is_never_asked_for(self, server: Any) -> None:
        for location in ("../admin", "a/b?c", "a/b/c", "https://h/x", ""):
            reference = Reference(location=location, sha256="", size=0, format="script")
            with pytest.raises(errors.StorageError, match="no location of a flow"):
                webhook(server).fetch(reference)
        assert not server.asked

    @pytest.mark.parametrize("verify", [True, False], ids=["checked", "unchecked"])
    def test_a_server_without_encryption_is_not_taken_for_one_with(self, verify: bool) -> None:
        with plain_server() as port, stamina.set_testing(True):
            request = {"url": f"https://127.0.0.1:{port}/x", "verify": verify}
            with pytest.raises(errors.StorageUnreachableError, match="ConnectError"):
                Webhook(request, "PUT", request, "GET").put(source())

    def test_certificates_come_from_a_file_or_folder(self, server: Any, tmp_path: Path) -> None:
        assert webhook(server, verify=str(tmp_path)).put(source())
        with pytest.raises(errors.SettingsError, match=r"No certificates can be read from verify='.*none\.pem'"):
            webhook(server, verify=str(tmp_path / "none.pem")).put(source())


@contextmanager
def plain_server() -> Iterator[int]:
    """Answer whoever connects with what is no TLS, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 12)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"heders": {}}, "a request has no heders; it has allow_redirects, auth"),
            ({"headers": "Bearer abc"}, "headers of a request is of type dict; found str"),
            ({"timeout": "5"}, "timeout of a request is of type int or float or list; found str"),
            ({"auth": ["abc"]}, "auth of a request has two parts; found 1"),
            ({"data": {"a": "b"}}, "its body is the flow's source"),
        ],
        ids=["unknown", "shape", "shapes", "pair", "body"],
    )
    def test_those_that_do_not_fit_are_named(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(errors.SettingsError, match=message):
            Webhook({"url": "https://h/x", **options}, "PUT", {"url": "https://h/x"}, "GET")

    def test_each_request_needs_an_address(self) -> None:
        with pytest.raises(errors.SettingsError, match=r"get_flow_request_kwargs.*a request needs a url"):
            Webhook({"url": "https://h/x"}, "PUT", {}, "GET")

    def test_the_script_may_be_named(self, server: Any, tmp_path: Path) -> None:
        script = tmp_path / "flow.py"
        script.write_bytes(FLOW)
        storage = webhook(server)
        storage.flow_script_path = script
        storage.add_flow(Flow("hooked"))
        assert "flow_script_path" not in storage.build().spec().options
        assert storage.get_flow("hooked").name == "hooked"
        script.unlink()
        with pytest.raises(errors.StorageError, match=r"is not at .*flow\.py; correct"):
            storage.build()
        storage.stored_as_script = False
        assert storage.build().references["hooked"].format == "pickle"

    def test_the_script_that_defines_the_flow_is_found(self, server: Any, tmp_path: Path) -> None:
        (tmp_path / "flow.py").write_bytes(FLOW)
        storage = webhook(server)
        storage.add_flow(load_flows(tmp_path / "flow.py")["hooked"])
        assert storage.build().references["hooked"].format == "script"
