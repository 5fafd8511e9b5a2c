"""Flows and results in a bucket of Google Cloud Storage, over a real connection."""

import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from penstock import Flow, Secret, clock, errors, task
from penstock.results import Result
from penstock.storage import Source, Storage
from penstock_fsspec import FileSystemStorage, atomic
from penstock_gcs import GCS, GCSResult
from penstock_gcs.objects import Objects
from penstock_gcs.testing import CloudStorage, Request

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


def answering(status: int, content: dict[str, Any] | bytes = b"") -> Callable[[Request], None]:
    return lambda request: request.answer(status, content)


def hang_up(request: Request) -> None:
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR)


def hang_up_in_the_middle(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"half")
    hang_up(request)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gcsfs try again at once."""
    monkeypatch.setattr("gcsfs.retry.min", lambda *_: 0, raising=False)


@pytest.fixture
def result(service: CloudStorage, bucket: str) -> GCSResult:
    return GCSResult(bucket, endpoint_url=service.url, anonymous=True, location="x")


@pytest.fixture
def storage(service: CloudStorage, bucket: str) -> GCS:
    return GCS(bucket, endpoint_url=service.url, anonymous=True)


@pytest.fixture(scope="module")
def account() -> dict[str, str]:
    """Return the JSON of a service account, as Google hands it out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return {
        "type": "service_account",
        "project_id": "example-project",
        "private_key_id": "1",
        "private_key": key.private_bytes(*form).decode(),
        "client_email": "flows@example.iam.gserviceaccount.com",
    }


class TestNaming:
    def test_an_object_is_named_after_its_flow_and_the_time(self, storage: GCS, service: CloudStorage) -> None:
        made = source(name="GCS flow")
        assert storage.put(made).location == f"gs://{storage.bucket}/{made.key()}"
        assert list(service.buckets[storage.bucket]) == [made.key()]
        assert made.key().startswith("gcs-flow/20")

    def test_a_key_is_the_objects_name_and_overwritten_by_the_next_build(
        self, storage: GCS, service: CloudStorage
    ) -> None:
        fixed = storage.model_copy(update={"key": "flows/mine.py"})
        earlier, later = fixed.put(source(b"earlier")), fixed.put(source(b"later"))
        assert earlier.location == later.location == f"gs://{storage.bucket}/flows/mine.py"
        assert service.buckets[storage.bucket]["flows/mine.py"].content == b"later"
        assert fixed.fetch(later) == b"later"
        assert [stored.location for stored in fixed.stored()] == [later.location]

    def test_different_flows_are_not_kept_as_one_object(self, bucket: str, service: CloudStorage) -> None:
        storage = GCS(bucket, "fixed", endpoint_url=service.url, anonymous=True, stored_as_script=False)
        for name in ("one", "two"):
            with Flow(name, storage=storage):
                pass
        with pytest.raises(errors.StorageError, match="flows one, two cannot all be kept as the object 'fixed'"):
            storage.build()
        assert service.buckets[bucket] == {}

    def test_the_classic_names_of_options_are_understood(self, tmp_path: Path) -> None:
        storage = GCS("bucket", "key", "project", stored_as_script=True, local_script_path=tmp_path / "flow.py")
        assert (storage.key, storage.project, storage.path) == ("key", "project", tmp_path / "flow.py")
        assert Storage.restore(storage.spec()) == storage

    @pytest.mark.parametrize("scheme", ["gs", "gcs"])
    def test_a_url_names_bucket_prefix_and_options(self, scheme: str) -> None:
        storage = Storage.resolve(f"{scheme}://bucket/some/prefix?project=example&credentials=KEY | zstd")
        assert storage == GCS(
            "bucket", prefix="/some/prefix/", project="example", credentials=Secret("KEY"), layers=["zstd"]
        )
        assert storage.spec().type == "gcs"
        assert Result.resolve(f"{scheme}://bucket/prefix") == GCSResult("bucket", prefix="prefix")

    def test_a_credential_in_a_url_is_refused(self) -> None:
        with pytest.raises(errors.SettingsError, match="no place for credentials") as caught:
            Storage.resolve("gs://user:s3cr3t@bucket")
        assert "s3cr3t" not in str(caught.value)

    def test_what_is_no_name_for_a_bucket_is_refused(self) -> None:
        with pytest.raises(errors.SettingsError, match='option "bucket" of storage "gcs"'):
            GCS("my bucket/x")

    @pytest.mark.parametrize("name", ["a#1", "a?b=c", "a%2Fb", "ä b", "a+b&c", "x\ny"], ids=repr)
    def test_any_name_is_that_of_one_object(self, result: GCSResult, service: CloudStorage, name: str) -> None:
        where = result.write_at(name, "value")
        assert list(service.buckets[result.bucket]) == [name]
        assert result.read(where) == "value"
        assert result.has(name)
        assert not result.has(name[0])


class TestWholeObjects:
    def test_of_many_that_create_an_object_one_does(self, result: GCSResult, service: CloudStorage) -> None:
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
        assert service.buckets[result.bucket]["raced"].content == bytes([won.index(True)])

    @pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # so gcsfs sends parts
    def test_a_large_object_is_sent_in_parts_and_there_once_it_is_whole(
        self, result: GCSResult, service: CloudStorage, impatient: None
    ) -> None:
        large = os.urandom(1 << 20) * 51
        result.put("x", b"old")
        service.faults.extend([None, None, *[answering(503)] * 6])
        with pytest.raises(errors.ResultError, match=r"too busy or failed \(503\)"):
            result.put("x", large)
        assert result.get("x") == b"old"
        assert service.uploads == {}
        result.put("x", large)
        assert result.get("x") == large

    def test_content_that_looks_like_a_part_of_a_request_is_kept(self, result: GCSResult) -> None:
        content = b"a\r\n--==0==\r\nContent-Type: text/plain\r\n\r\nb\n--==0==--"
        result.put("x", content)
        assert result.get("x") == content

    def test_an_upload_that_is_cut_off_is_tried_again(
        self, storage: GCS, service: CloudStorage, impatient: None
    ) -> None:
        service.faults.append(hang_up)
        reference = storage.put(source())
        assert storage.fetch(reference) == b"content"
        assert len(service.asked) == 3

    def test_a_download_that_is_cut_off_is_tried_again(
        self, storage: GCS, service: CloudStorage, impatient: None
    ) -> None:
        reference = storage.put(source())
        service.faults.extend([hang_up_in_the_middle, hang_up])
        assert storage.fetch(reference) == b"content"

    def test_an_answer_that_was_lost_leaves_another_name(
        self, storage: GCS, service: CloudStorage, impatient: None
    ) -> None:
        def lost(request: Request) -> None:
            bucket, name = request.path.split("/b/")[1].split("/o")[0], made.key()
            service.put(bucket, name, made.content, absent=True)
            hang_up(request)

        made = source()
        service.faults.append(lost)
        reference = storage.put(made)
        assert reference.location.endswith("-2")
        assert storage.fetch(reference) == made.content

    def test_what_others_write_is_seen_at_once(self, storage: GCS, service: CloudStorage) -> None:
        storage.put(source())
        assert len(list(storage.stored())) == 1
        service.put(storage.bucket, "another/2026-01-02t03-04-05", b"", absent=True)
        assert len(list(storage.stored())) == 2


class TestErrors:
    def test_a_missing_bucket_is_named(self, service: CloudStorage) -> None:
        advice = r'no bucket "no-such-bucket".*gcloud storage buckets create gs://no-such-bucket'
        result = GCSResult("no-such-bucket", endpoint_url=service.url, anonymous=True)
        with pytest.raises(errors.ResultError, match=advice):
            result.write(1)
        with pytest.raises(errors.ResultError, match=advice):
            result.read("x")
        storage = GCS("no-such-bucket", endpoint_url=service.url, anonymous=True)
        with pytest.raises(errors.StorageUnreachableError, match=advice):
            storage.put(source())

    @pytest.mark.parametrize(
        ("right", "rights"),
        [
            ("storage.objects.create", set()),
            ("storage.objects.delete", {"storage.objects.create", "storage.objects.get"}),
        ],
        ids=["create", "overwrite"],
    )
    def test_a_right_that_is_missing_is_named(
        self, result: GCSResult, service: CloudStorage, right: str, rights: set[str]
    ) -> None:
        result.put("x", b"old")
        service.rights = rights
        role = f"role roles/storage.objectUser on the bucket {result.bucket}"
        with pytest.raises(errors.ResultError, match=f"refuses {right} to the credentials found here.*{role}"):
            result.write(1)

    def test_who_may_not_read_is_told_so_and_not_that_nothing_is_there(
        self, result: GCSResult, service: CloudStorage
    ) -> None:
        result.write(1)
        service.rights = set()
        for ask in (result.exists, lambda: result.read("x")):
            with pytest.raises(errors.ResultError, match=r"refuses storage\.objects\.\w+ to"):
                ask()

    def test_a_token_that_is_no_longer_good_is_named_and_not_shown(
        self, result: GCSResult, service: CloudStorage, impatient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "an-old-token")
        service.bearer = "a-new-token"
        named = result.model_copy(update={"anonymous": False, "credentials": Secret("TOKEN")})
        with pytest.raises(errors.ResultError, match='the secret "TOKEN": they have expired or were revoked') as caught:
            named.write(1)
        assert "an-old-token" not in str(caught.value)
        monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "a-new-token")
        assert named.read(named.write(1)) == 1

    def test_a_service_that_asks_for_credentials_is_told_apart(self, result: GCSResult, service: CloudStorage) -> None:
        service.bearer = "a-token"
        with pytest.raises(errors.ResultError, match=r'asks for credentials\. Name a secret.*option "credentials"'):
            result.write(1)

    def test_a_machine_without_credentials_is_told_where_they_come_from(
        self, result: GCSResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        with pytest.raises(errors.ResultError, match=r"no credentials were found\..*application-default login"):
            result.model_copy(update={"anonymous": False}).write(1)

    def test_where_nobody_answers_is_named(self, impatient: None) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            result = GCSResult("flows", endpoint_url=url, anonymous=True)
            for ask in (lambda: result.write(1), lambda: result.exists("x")):
                with pytest.raises(errors.ResultError, match=f"nobody answers at {url}. Check the network"):
                    ask()

    def test_a_service_that_accepts_and_says_nothing_is_given_up(
        self, result: GCSResult, impatient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from aiohttp import ClientTimeout

        silent = {"requests_timeout": ClientTimeout(total=None, sock_read=0.05)}
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            waiting = GCSResult("flows", endpoint_url=url, anonymous=True, storage_options=silent)
            with pytest.raises(errors.ResultError, match="broke off, also when tried again"):
                waiting.write(1)
        assert result.filesystem().requests_timeout.sock_read == 30

    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_a_service_in_trouble_is_asked_again_and_told_apart(
        self, result: GCSResult, service: CloudStorage, impatient: None, status: int
    ) -> None:
        service.faults.extend([answering(status)] * 5)
        where = result.write(1)
        service.faults.extend([answering(status)] * 6)
        with pytest.raises(errors.ResultError, match=rf"too busy or failed \({status}\), also when asked again"):
            result.read(where)

    def test_an_error_that_nobody_knows_is_told_as_it_is(self, result: GCSResult, service: CloudStorage) -> None:
        service.faults.append(answering(418, {"error": {"code": 418, "message": "I am a teapot."}}))
        with pytest.raises(errors.ResultError, match=r"I am a teapot\."):
            result.write(1)


class TestCredentials:
    @pytest.fixture
    def named(self, service: CloudStorage, result: GCSResult) -> GCSResult:
        service.bearer = "granted-token"
        return result.model_copy(update={"anonymous": False, "credentials": Secret("GOOGLE")})

    def test_a_service_account_gets_the_token_it_asks_with(
        self, named: GCSResult, service: CloudStorage, account: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GOOGLE", json.dumps({**account, "token_uri": f"{service.url}/token"}))
        assert named.read(named.write(1)) == 1
        assert [asked for asked in service.asked if asked.endswith("/token")] == ["POST /token"]
        assert named.filesystem().project == "example-project"
        assert named.model_copy(update={"project": "another"}).filesystem().project == "another"

    def test_a_service_account_that_was_disabled_is_explained(
        self,
        named: GCSResult,
        service: CloudStorage,
        account: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        impatient: None,
    ) -> None:
        service.bearer = None
        monkeypatch.setenv("GOOGLE", json.dumps({**account, "token_uri": f"{service.url}/token", "project_id": "b"}))
        with pytest.raises(errors.ResultError, match='the secret "GOOGLE": they have expired or were revoked'):
            named.write(1)

    def test_a_user_is_known_by_a_refresh_token(
        self, named: GCSResult, monkeypatch: pytest.MonkeyPatch, service: CloudStorage
    ) -> None:
        user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
        monkeypatch.setenv("GOOGLE", json.dumps(user))
        known = named.filesystem().credentials.credentials
        assert (known.client_id, known.refresh_token) == ("i", "r")

    @pytest.mark.parametrize(
        ("held", "message"),
        [
            ('{"type": "external_account"}', 'type "external_account" cannot be used; expected .*set GOOGLE_APPL'),
            ('{"type": "service_account", "private_key": "s3cr3t"}', '"service_account" are incomplete or damaged'),
            ("[1]", 'type "list" cannot be used'),
        ],
        ids=["unknown", "incomplete", "no-object"],
    )
    def test_what_are_no_credentials_is_explained(
        self, named: GCSResult, monkeypatch: pytest.MonkeyPatch, held: str, message: str
    ) -> None:
        monkeypatch.setenv("GOOGLE", held)
        with pytest.raises(errors.SettingsError, match=message) as caught:
            named.write(1)
        assert "s3cr3t" not in str(caught.value)

    def test_a_secret_that_nobody_knows_is_named(self, named: GCSResult) -> None:
        with pytest.raises(errors.SecretMissingError, match="GOOGLE"):
            named.write(1)

    def test_only_the_name_of_the_secret_travels(
        self, service: CloudStorage, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PENSTOCK_SECRETS__TOKEN", "granted-token")
        service.bearer = "granted-token"
        storage = GCS(bucket, endpoint_url=service.url, credentials="TOKEN", stored_as_script=False)
        with Flow("kept", storage=storage) as flow:
            pass
        storage.build()
        told = flow.serialize().model_dump_json() + storage.spec().model_dump_json()
        assert '{"secret":"TOKEN"}' in told
        assert "granted-token" not in told
        pickled = pickle.dumps(storage.default_result())
        assert b"granted-token" not in pickled + pickle.dumps(storage)
        assert storage.default_result().options["credentials"] == {"secret": "TOKEN"}

    def test_a_credential_as_such_is_refused(self) -> None:
        storage = GCS("bucket", credentials={"private_key": "s3cr3t"})
        with pytest.raises(errors.StorageError, match=r'"credentials.private_key".* looks like a credential'):
            storage.spec()
        with pytest.raises(errors.SecretMissingError, match="what was given is no name") as caught:
            GCS("bucket", credentials='{"private_key": "s3cr3t"}')
        assert "s3cr3t" not in str(caught.value)


class TestFlows:
    def test_a_storage_brings_the_result_that_goes_with_it(self, service: CloudStorage, bucket: str) -> None:
        @task
        def answer() -> int:
            return 42

        storage = GCS(bucket, prefix="team", endpoint_url=service.url, anonymous=True, layers=["zstd"])
        with Flow("answers", storage=storage, result=Result.restore(storage.default_result())) as flow:
            number = answer()
        where = flow.run().result[number].location.location
        assert where.startswith(f"gs://{bucket}/team/results/")
        assert Result.restore(storage.default_result()).read(where) == 42

    def test_a_package_is_stored_and_loaded_by_another_process(self, storage: GCS, tmp_path: Path) -> None:
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

    def test_a_pickled_result_connects_anew(self, result: GCSResult) -> None:
        where = result.write([1, 2])
        copied = pickle.loads(pickle.dumps(result))
        assert copied == result
        assert copied.read(where) == [1, 2]
        Objects.clear_instance_cache()
        assert copied.read(where) == [1, 2]

    def test_a_source_that_was_tampered_with_is_not_executed(
        self, storage: GCS, service: CloudStorage, tmp_path: Path
    ) -> None:
        storage.references = {"a": storage.put(source(b"x = 1", "a"))}
        (name,) = service.buckets[storage.bucket]
        service.put(storage.bucket, name, f"open({str(tmp_path / 'run')!r}, 'w')".encode(), absent=False)
        with pytest.raises(errors.SourceChangedError, match="Nothing was executed"):
            storage.get_flow("a")
        assert not (tmp_path / "run").exists()

    def test_it_is_one_of_the_storages_on_file_systems(self, storage: GCS) -> None:
        assert isinstance(storage, FileSystemStorage)
