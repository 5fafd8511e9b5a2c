"""Flows and results in a container of Azure Blob Storage, over real connections to Azurite."""

import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, Secret, clock, errors, task
from penstock.results import Result
from penstock.storage import Source, Storage
from penstock_azure import Azure, AzureResult
from penstock_azure.blobs import Blobs
from penstock_fsspec import atomic

Lying = Callable[[], dict[str, bytes]]
AT_ONCE = {"retry_total": 2, "initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}

SCRIPT = """
import answered_beside
from penstock import Flow, task

@task
def answer():
    return answered_beside.NUMBER

with Flow("answers") as flow:
    answer()
"""


def source(content: bytes = b"content", name: str = "a flow") -> Source:
    return Source(name, content, "script", clock.now())


@pytest.fixture
def result(container: str, connection: str) -> AzureResult:
    return AzureResult(container, connection, location="x")


@pytest.fixture
def storage(container: str, connection: str) -> Azure:
    return Azure(container, connection)


@contextmanager
def answering(status: int, code: str) -> Iterator[tuple[str, list[str]]]:
    """Run a service that answers every request with an error of the documented form, and notes what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>told\nTime:1</Message></Error>'.encode()
            self.send_response(status)
            for name, value in {"x-ms-error-code": code, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/xml")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/other", asked
        finally:
            server.shutdown()
            thread.join()


class TestNaming:
    def test_a_blob_is_named_after_its_flow_and_the_time(self, storage: Azure, blobs: Lying) -> None:
        made = source(name="Azure flow")
        assert storage.put(made).location == f"az://{storage.container}/{made.key()}"
        assert blobs() == {made.key(): b"content"}
        assert made.key().startswith("azure-flow/20")

    def test_a_blob_of_that_name_is_not_overwritten(self, storage: Azure, blobs: Lying) -> None:
        fixed = storage.model_copy(update={"blob_name": "flows/mine.py", "layers": ["zstd"]})
        reference = fixed.put(source(b"earlier"))
        assert fixed.put(source(b"earlier")) == reference
        with pytest.raises(errors.StorageError, match=r'"a flow" was not written: .*/flows/mine.py\. .*overwrite=True'):
            fixed.put(source(b"later"))
        assert fixed.fetch(reference) == b"earlier"
        assert list(blobs()) == ["flows/mine.py"]

    def test_a_blob_of_that_name_is_overwritten_if_one_says_so(self, storage: Azure, blobs: Lying) -> None:
        fixed = storage.model_copy(update={"blob_name": "flows/mine.py", "overwrite": True})
        earlier, later = fixed.put(source(b"earlier")), fixed.put(source(b"later"))
        assert earlier.location == later.location == f"az://{storage.container}/flows/mine.py"
        assert blobs() == {"flows/mine.py": b"later"}
        assert [stored.location for stored in fixed.stored()] == [later.location]

    def test_the_classic_names_of_options_are_understood(self, tmp_path: Path) -> None:
        storage = Azure("container", "NAME", "blob", stored_as_script=True, local_script_path=tmp_path / "flow.py")
        assert (storage.connection_string_secret, storage.blob_name) == (Secret("NAME"), "blob")
        assert storage.path == tmp_path / "flow.py"
        assert Storage.restore(storage.spec()) == storage

    @pytest.mark.parametrize("scheme", ["azure", "az", "abfs", "abfss"])
    def test_a_url_names_container_prefix_and_options(self, scheme: str) -> None:
        storage = Storage.resolve(f"{scheme}://container/some/prefix?account_name=example&overwrite=true | zstd")
        assert storage == Azure(
            "container", account_name="example", prefix="/some/prefix/", overwrite=True, layers=["zstd"]
        )
        assert storage.spec().type == "azure"
        assert Result.resolve(f"{scheme}://container/prefix") == AzureResult("container", prefix="prefix")

    def test_an_address_of_data_lake_storage_names_the_account(self) -> None:
        storage = Storage.resolve("abfss://container@example.dfs.core.windows.net/prefix")
        assert storage == Azure("container", account_name="example", prefix="prefix")

    def test_a_credential_in_a_url_is_refused(self) -> None:
        with pytest.raises(errors.SettingsError, match="no place for credentials") as caught:
            Storage.resolve("az://user:s3cr3t@container")
        assert "s3cr3t" not in str(caught.value)

    def test_what_is_no_name_for_a_container_is_refused(self) -> None:
        with pytest.raises(errors.SettingsError, match='option "container" of storage "azure"'):
            Azure("My Container")

    @pytest.mark.parametrize("name", ["a#1", "a?b=c", "a%2Fb", "ä b", "a+b&c", "a?versionid=1"], ids=repr)
    def test_any_name_is_that_of_one_blob(self, result: AzureResult, blobs: Lying, name: str) -> None:
        where = result.write_at(name, "value")
        assert list(blobs()) == [name]
        assert result.read(where) == "value"
        assert result.has(name)
        assert not result.has(name[0])


class TestWholeBlobs:
    def test_of_many_that_create_a_blob_one_does(self, result: AzureResult, blobs: Lying) -> None:
        filesystem, begin = result.filesystem(), threading.Barrier(8)

        def create(number: int) -> bool:
            begin.wait()
            try:
                atomic.create(filesystem, f"{result.root}/raced", bytes([number]))
            except FileExistsError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert sum(won) == 1
        assert blobs() == {"raced": bytes([won.index(True)])}

    @pytest.mark.parametrize("absent", [True, False], ids=["create", "replace"])
    def test_a_large_blob_is_sent_in_blocks_and_there_once_it_is_whole(
        self, result: AzureResult, blobs: Lying, absent: bool
    ) -> None:
        small_blocks = {"max_single_put_size": 1 << 16, "max_block_size": 1 << 16}
        filesystem = result.model_copy(update={"client_options": small_blocks}).filesystem()
        large = os.urandom(1 << 20)
        result.put("x", b"old")
        if absent:
            with pytest.raises(FileExistsError):
                atomic.create(filesystem, f"{result.root}/x", large)
            assert result.get("x") == b"old"
            atomic.create(filesystem, f"{result.root}/y", large)
            assert result.get("y") == large
        else:
            atomic.replace(filesystem, f"{result.root}/x", large)
            assert result.get("x") == large

    def test_what_others_write_is_seen_at_once(self, storage: Azure, account: Any) -> None:
        storage.put(source())
        assert len(list(storage.stored())) == 1
        with account.client.get_container_client(storage.container) as client:
            client.upload_blob("another/2026-01-02t03-04-05", b"")
        assert len(list(storage.stored())) == 2


class TestErrors:
    def test_a_missing_container_is_named(self, connection: str) -> None:
        advice = r'no container "no-such" at the account in the secret "CONNECTION".*container create --name no-such'
        result, storage = AzureResult("no-such", connection), Azure("no-such", connection)
        with pytest.raises(errors.ResultError, match=advice):
            result.write(1)
        with pytest.raises(errors.ResultError, match=advice):
            result.read("x")
        with pytest.raises(errors.StorageUnreachableError, match=advice):
            storage.put(source())

    def test_a_signature_that_does_not_allow_it_is_named(
        self, result: AzureResult, account: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        where = result.write(1)
        monkeypatch.setenv("PENSTOCK_SECRETS__CONNECTION", account.signed("r", hours=1))
        assert result.read(where) == 1
        role = r'refuses this to what the secret "CONNECTION" holds.*role "Storage Blob Data Contributor", or a SAS'
        with pytest.raises(errors.ResultError, match=role) as caught:
            result.write(2)
        assert "sig=" not in str(caught.value)

    def test_a_signature_that_has_expired_is_no_missing_result(
        self, result: AzureResult, account: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result.write(1)
        monkeypatch.setenv("PENSTOCK_SECRETS__CONNECTION", account.signed("rwdlc", hours=-1))
        for ask in (lambda: result.write(2), lambda: result.read("x"), result.exists):
            with pytest.raises(errors.ResultError, match=r'does not accept what the secret "CONNECTION" holds'):
                ask()

    def test_a_wrong_key_is_named_and_not_shown(
        self, result: AzureResult, account: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrong = account.key[::-1].lstrip("=") + "=="
        monkeypatch.setenv("PENSTOCK_SECRETS__CONNECTION", account.connection_string.replace(account.key, wrong))
        with pytest.raises(errors.ResultError, match=r'"CONNECTION" holds.*the key is another one') as caught:
            result.write(1)
        assert wrong not in str(caught.value)

    def test_an_account_that_is_not_there_is_named(self, container: str, account: Any) -> None:
        other = account.url.rpartition("/")[0] + "/otheraccount"
        options = {"account_key": Secret("KEY")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KEY", account.key)
            result = AzureResult(container, account_name="otheraccount", endpoint_url=other, storage_options=options)
            with pytest.raises(errors.ResultError, match=f"no such account at {other}, or none for these"):
                result.write(1)

    def test_a_machine_without_credentials_is_told_where_they_come_from(
        self, container: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
        with pytest.raises(errors.ResultError, match=r"no credentials were found: .*connection string, log in with az"):
            AzureResult(container, account_name="example", client_options=AT_ONCE).write(1)

    def test_where_nobody_answers_is_named(self, container: str) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/example"
            result = AzureResult(container, endpoint_url=url, client_options=AT_ONCE, storage_options={"anon": True})
            for ask in (lambda: result.write(1), lambda: result.exists("x")):
                with pytest.raises(
                    errors.ResultError, match=f"nobody answers at {url}: .*name or address of the account"
                ):
                    ask()

    @pytest.mark.parametrize(
        ("status", "code", "message", "asked"),
        [
            (503, "ServerBusy", r"too busy or failed \(ServerBusy\), also when asked again", 3),
            (409, "PublicAccessNotPermitted", r"asks for credentials .*name a secret with a connection string", 1),
            (401, "InvalidAuthenticationInfo", "the SAS or token has expired", 1),
            (418, "Teapot", "Teapot: told", 1),
        ],
        ids=["busy", "anonymous", "expired", "unknown"],
    )
    def test_what_a_service_answers_is_explained(
        self, container: str, status: int, code: str, message: str, asked: int
    ) -> None:
        with answering(status, code) as (url, requests):
            anonymous = {"anon": True}
            result = AzureResult(container, endpoint_url=url, client_options=AT_ONCE, storage_options=anonymous)
            with pytest.raises(errors.ResultError, match=message):
                result.write(1)
            assert len(requests) == asked

    def test_a_conflict_is_not_taken_for_a_blob_that_exists(self, container: str) -> None:
        with answering(409, "ContainerBeingDeleted") as (url, requests):
            storage = Azure(container, endpoint_url=url, storage_options={"anon": True})
            with pytest.raises(errors.StorageUnreachableError, match="ContainerBeingDeleted: told"):
                storage.put(source())
            assert requests == ["PUT"]

    def test_a_service_that_accepts_and_says_nothing_is_given_up(self, container: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/example"
            silent = {**AT_ONCE, "read_timeout": 0.05}
            result = AzureResult(container, endpoint_url=url, client_options=silent, storage_options={"anon": True})
            with pytest.raises(errors.ResultError, match="broke off, also when tried again"):
                result.write(1)


class TestCredentials:
    @pytest.mark.parametrize(
        ("options", "message"),
        [({}, "No account of Azure Storage is named"), ({"connection_string_secret": "ODD"}, "no connection string;")],
        ids=["nothing", "odd"],
    )
    def test_what_cannot_be_connected_to_is_explained(
        self, container: str, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], message: str
    ) -> None:
        monkeypatch.setenv("ODD", "s3cr3t")
        with pytest.raises(errors.SettingsError, match=message) as caught:
            AzureResult(container, **options).write(1)
        assert "s3cr3t" not in str(caught.value)

    def test_the_environment_may_hold_the_connection_string(
        self, container: str, account: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account.connection_string)
        result = AzureResult(container)
        assert result.read(result.write(1)) == 1
        named = AzureResult(container, account_name="example").filesystem()
        assert named.service_client.url.startswith("https://example.blob.core.windows.net")
        assert named.credential is not None

    @pytest.mark.parametrize("kind", ["account_key", "sas_token"])
    def test_an_account_is_reached_by_its_key_or_a_signature(
        self, container: str, account: Any, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        signature = account.signed("rwc", hours=1).partition("SharedAccessSignature=")[2]
        monkeypatch.setenv("HELD", account.key if kind == "account_key" else signature)
        by_name = {"account_name": account.name, "endpoint_url": account.url}
        result = AzureResult(container, **by_name, storage_options={kind: Secret("HELD")})
        assert result.read(result.write(1)) == 1
        assert result.spec().options["storage_options"] == {kind: {"secret": "HELD"}}

    def test_a_secret_that_nobody_knows_is_named(self, container: str) -> None:
        with pytest.raises(errors.SecretMissingError, match="NOBODYS"):
            AzureResult(container, "NOBODYS").write(1)

    def test_only_the_name_of_the_secret_travels(self, container: str, connection: str, account: Any) -> None:
        storage = Azure(container, connection, stored_as_script=False)
        with Flow("kept", storage=storage) as flow:
            pass
        storage.build()
        told = flow.serialize().model_dump_json() + storage.spec().model_dump_json()
        assert '"connection_string_secret":"CONNECTION"' in told
        assert account.key not in told
        assert account.key.encode() not in pickle.dumps(storage) + pickle.dumps(storage.default_result())
        assert storage.default_result().options["connection_string_secret"] == connection

    def test_a_connection_string_as_such_is_refused(self, account: Any) -> None:
        with pytest.raises(errors.SecretMissingError, match="what was given is no name") as caught:
            Azure("container", account.connection_string)
        storage = Azure("container", storage_options={"connection_string": account.connection_string})
        with pytest.raises(errors.StorageError, match=r'"storage_options.connection_string".* looks like a credential'):
            storage.spec()
        assert account.key not in str(caught.value)


class TestFlows:
    def test_a_storage_brings_the_result_that_goes_with_it(self, container: str, connection: str) -> None:
        @task
        def answer() -> int:
            return 42

        storage = Azure(container, connection, prefix="team", layers=["zstd"])
        with Flow("answers", storage=storage, result=Result.restore(storage.default_result())) as flow:
            number = answer()
        where = flow.run().result[number].location.location
        assert where.startswith(f"az://{container}/team/results/")
        assert Result.restore(storage.default_result()).read(where) == 42

    def test_a_package_is_stored_and_loaded_by_another_process(self, storage: Azure, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder/flow.py").write_text(SCRIPT)
        (tmp_path / "folder/answered_beside.py").write_text("NUMBER = 42")
        packed = storage.model_copy(update={"package": tmp_path / "folder", "path": tmp_path / "folder/flow.py"})
        with Flow("answers", storage=packed):
            pass
        packed.build()
        (tmp_path / "storage.json").write_text(packed.spec().model_dump_json())
        program = (
            "import json, pathlib; from penstock.storage import Storage;"
            "storage = Storage.restore(json.loads(pathlib.Path('storage.json').read_text()));"
            "state = storage.get_flow('answers').run(); print([each.result for each in state.result.values()])"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, text=True, capture_output=True)
        assert done.stdout.strip().endswith("[42]")

    def test_a_pickled_result_connects_anew(self, result: AzureResult) -> None:
        where = result.write([1, 2])
        copied = pickle.loads(pickle.dumps(result))
        assert copied == result
        assert copied.read(where) == [1, 2]
        Blobs.clear_instance_cache()
        assert copied.read(where) == [1, 2]

    def test_a_source_that_was_tampered_with_is_not_executed(
        self, storage: Azure, account: Any, tmp_path: Path
    ) -> None:
        storage.references = {"a": storage.put(source(b"x = 1", "a"))}
        name = storage.references["a"].location.removeprefix(f"az://{storage.container}/")
        with account.client.get_blob_client(storage.container, name) as blob:
            blob.upload_blob(f"open({str(tmp_path / 'run')!r}, 'w')", overwrite=True)
        with pytest.raises(errors.SourceChangedError, match="Nothing was executed"):
            storage.get_flow("a")
        assert not (tmp_path / "run").exists()
