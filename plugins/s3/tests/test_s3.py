"""Flows and results in buckets."""

import base64
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, Secret, clock, errors, task
from penstock.results import Result
from penstock.storage import Source, Storage, load_flows
from penstock_s3 import S3, S3Result
from penstock_s3.objects import Objects, connected

_SCRIPT = "from penstock import Flow\nflow = Flow('scripted')\nother = Flow('other')\n"


@pytest.fixture
def source() -> Source:
    return Source("My Flow", b"content", "script", clock.now())


@pytest.fixture
def flow() -> Flow:
    @task
    def nothing() -> None: ...

    with Flow("nothing at all") as made:
        nothing()
    return made


def lying(bucket: str) -> dict[str, bytes]:
    """What lies in a bucket, by name."""
    files: Any = S3(bucket).filesystem()
    return {path.removeprefix(f"{bucket}/"): files.cat_file(path) for path in files.find(bucket)}


def test_an_object_is_called_after_flow_and_moment(bucket: str, source: Source) -> None:
    location = S3(bucket).put(source).location
    assert location.startswith(f"s3://{bucket}/my-flow/{source.created:%Y-%m-%dt%H-%M-%S}")
    assert S3(bucket, prefix="/team/flows/").put(source).location == location.replace("my-flow", "team/flows/my-flow")
    assert sorted(name.rpartition("/")[0] for name in lying(bucket)) == ["my-flow", "team/flows/my-flow"]


def test_a_key_is_the_name_of_the_object_and_overwritten_by_the_next_build(bucket: str, source: Source) -> None:
    storage = S3(bucket, "flows/etl.py")
    first = storage.put(source)
    assert first.location == f"s3://{bucket}/flows/etl.py"
    storage.references = {"My Flow": first}
    later = storage.put(Source("My Flow", b"later", "script", clock.now()))
    assert lying(bucket) == {"flows/etl.py": b"later"}
    assert [stored.location for stored in storage.stored()] == [later.location]
    with pytest.raises(errors.SourceChangedError, match="Nothing was executed; register the flow again"):
        storage.get_flow("My Flow")
    storage.remove(later.location)
    assert list(storage.stored()) == []
    assert S3(bucket, "etl.py", prefix="team").put(source).location == f"s3://{bucket}/team/etl.py"
    assert Storage.restore(storage.spec()) == storage


def test_several_flows_take_no_turns_in_being_one_object(bucket: str, flow: Flow, tmp_path: Path) -> None:
    storage = S3(bucket, "one")
    storage.add_flow(flow)
    storage.add_flow(Flow("another"))
    with pytest.raises(errors.StorageError, match=r"another, nothing at all cannot all be kept as the object 'one'"):
        storage.build()
    assert lying(bucket) == {}
    script = tmp_path / "both.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    both = S3(bucket, "one")
    for each in load_flows(script).values():
        both.add_flow(each)
    assert set(both.build().references) == {"scripted", "other"}
    assert both.get_flow("other").name == "other"


def test_a_script_may_be_named_as_in_the_classic(bucket: str, flow: Flow, tmp_path: Path) -> None:
    script = tmp_path / "nothing.py"
    script.write_text("from penstock import Flow\nflow = Flow('nothing at all')\n", encoding="utf-8")
    storage = S3(bucket=bucket, key="nothing.py", stored_as_script=True, local_script_path=str(script))
    storage.add_flow(flow)
    storage.build()
    assert lying(bucket) == {"nothing.py": script.read_bytes()}
    assert storage.path == script
    assert Storage.restore(storage.spec()).get_flow(flow.name).name == flow.name


def test_a_package_is_stored_whole(bucket: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "numbers_of_s3.py").write_text("ONE = 1\n", encoding="utf-8")
    script = "from penstock import Flow, task\nimport numbers_of_s3\n@task\ndef one(): return numbers_of_s3.ONE\n"
    (project / "flow.py").write_text(f"{script}with Flow('packed') as flow: one()\n", encoding="utf-8")
    storage = Storage.resolve(f"s3://{bucket}/flows", package=project)
    storage.add_flow(load_flows(project / "flow.py")["packed"])
    reference = storage.build().references["packed"]
    assert (reference.format, reference.entry) == ("package", "flow.py")
    (project / "numbers_of_s3.py").unlink()
    restored = Storage.restore(storage.spec()).get_flow("packed")
    assert [state.result for state in restored.run().result.values()] == [1]


def test_a_bucket_is_configured_once(endpoint: str) -> None:
    options: dict[str, Any] = {
        "endpoint_url": endpoint,
        "region": "eu-west-1",
        "credentials": "AWS",
        "client_options": {"verify": False},
        "upload_options": {"ServerSideEncryption": "AES256"},
        "storage_options": {"requester_pays": True},
        "layers": ["zstd"],
    }
    storage = S3("bucket", prefix="team", **options)
    assert Result.restore(storage.default_result()) == S3Result("bucket", prefix="team/results", **options)
    assert Result.restore(S3("bucket", "a.py").default_result()) == S3Result("bucket", prefix="results")


def test_results_lie_where_their_template_says(bucket: str) -> None:
    result = S3Result(bucket, prefix="results", location="{flow_name}/{task_name}")
    where = result.write([1], flow_name="f", task_name="t")
    assert where.location == f"s3://{bucket}/results/f/t"
    assert list(lying(bucket)) == ["results/f/t"]
    assert S3Result(bucket, prefix="results").read(where) == [1]
    assert result.exists(flow_name="f", task_name="t")
    assert not result.exists(flow_name="f", task_name="missing")


def test_a_url_says_bucket_prefix_and_options(endpoint: str) -> None:
    url = f"s3://bucket/a/b/?endpoint_url={endpoint}&region=eu-west-1&credentials=AWS"
    expected = {"prefix": "a/b", "endpoint_url": endpoint, "region": "eu-west-1", "credentials": "AWS"}
    assert Storage.resolve(url) == S3("bucket", **expected)
    assert Result.resolve(url) == S3Result("bucket", **expected)
    assert Storage.resolve("s3://bucket") == S3("bucket")
    assert Storage.resolve("s3://bucket/a#b | zstd") == S3("bucket", prefix="a#b", layers=["zstd"])
    assert Storage.resolve("s3://bucket?key=a.py") == S3("bucket", "a.py")
    with pytest.raises(errors.SettingsError, match='no option "regio"'):
        Storage.resolve("s3://bucket?regio=eu")


def test_a_url_is_no_place_for_credentials() -> None:
    with pytest.raises(errors.SettingsError, match="Keep them in a secret") as caught:
        Storage.resolve("s3://AKIAXXXX:s3cr3t@bucket/flows")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("bucket", "a/b"), ("bucket", ""), ("endpoint_url", "minio:9000")],
    ids=["folder", "no-bucket", "no-scheme"],
)
def test_an_option_that_cannot_be_is_refused(option: str, value: str) -> None:
    with pytest.raises(errors.SettingsError, match=f'option "{option}" of storage "s3"'):
        S3(**{"bucket": "bucket", option: value})


@pytest.mark.parametrize(
    "text",
    [
        '{"key": "K1", "secret": "S1", "token": "T1"}',
        '{"ACCESS_KEY": "K1", "SECRET_ACCESS_KEY": "S1", "SESSION_TOKEN": "T1"}',
        '{"AccessKeyId": "K1", "SecretAccessKey": "S1", "SessionToken": "T1", "Expiration": "2026-11-22"}',
        '{"aws_access_key_id": "K1", "aws_secret_access_key": "S1", "aws_session_token": "T1"}',
    ],
    ids=["short", "classic", "sts", "file"],
)
def test_a_secret_holds_the_keys_under_their_usual_names(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PENSTOCK_SECRETS__AWS", text)
    files = S3("bucket", credentials="AWS").filesystem()
    assert (files.key, files.secret, files.token) == ("K1", "S1", "T1")


@pytest.mark.parametrize(
    ("text", "message"),
    [("plain text", "is no JSON object"), ('{"key": "s3cr3t"}', "has key;"), ("{}", "has nothing;")],
    ids=["text", "half", "empty"],
)
def test_a_secret_without_the_keys_is_explained(monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.setenv("PENSTOCK_SECRETS__AWS", text)
    with pytest.raises(errors.SettingsError, match=f'The secret "AWS" {message} expected is|{message}') as caught:
        S3Result("bucket", credentials="AWS").exists("x")
    assert "s3cr3t" not in str(caught.value)


def test_credentials_travel_by_name(monkeypatch: pytest.MonkeyPatch, flow: Flow) -> None:
    monkeypatch.setenv("AWS", '{"key": "AKIAXXXX", "secret": "s3cr3t"}')
    monkeypatch.setenv("ID", "AKIAXXXX")
    monkeypatch.setenv("KEY", "s3cr3t")
    each = {"key": Secret("ID"), "secret": Secret("KEY")}
    for given, travels in (
        ("AWS", {"secret": "AWS"}),
        (Secret("AWS"), {"secret": "AWS"}),
        (each, {"key": {"secret": "ID"}, "secret": {"secret": "KEY"}}),
    ):
        flow.storage = storage = S3("bucket", credentials=given)
        assert storage.spec().options["credentials"] == travels
        restored = Storage.restore(json.loads(storage.spec().model_dump_json()))
        assert restored == storage
        assert isinstance(restored, S3)
        assert (restored.filesystem().key, restored.filesystem().secret) == ("AKIAXXXX", "s3cr3t")
        kept = json.dumps(flow.serialize(), default=str) + repr(storage) + repr(pickle.dumps(restored))
        assert "s3cr3t" not in kept
        assert base64.b64encode(b"s3cr3t").decode() not in kept


@pytest.mark.parametrize(
    "options",
    [
        {"credentials": {"key": "AKIAXXXX", "secret": "s3cr3t"}},
        {"client_options": {"aws_secret_access_key": "s3cr3t"}},
        {"endpoint_url": "https://user:s3cr3t@host"},
        {"storage_options": {"key": "AKIAXXXX", "secret": "s3cr3t"}},
        {"upload_options": {"SSECustomerKey": Secret("X"), "token": "s3cr3t"}},
    ],
    ids=lambda options: next(iter(options)),
)
def test_credentials_that_would_travel_are_refused(options: dict[str, Any]) -> None:
    for place in (S3("bucket", "key-of-the-object", **options), S3Result("bucket", **options)):
        with pytest.raises(errors.StorageError, match=f'"{next(iter(options))}.* looks like a credential') as caught:
            place.spec()
        assert "s3cr3t" not in str(caught.value)


def test_the_client_is_set_up_as_the_options_say(endpoint: str) -> None:
    own = S3("b", client_options={"config": {"read_timeout": 300}, "endpoint_url": endpoint}, region="eu-west-1")
    files = own.filesystem()
    config = files.s3.meta.config
    assert (files.s3.meta.endpoint_url, files.s3.meta.region_name) == (endpoint, "eu-west-1")
    assert (config.connect_timeout, config.read_timeout, config.s3) == (10, 300, {"addressing_style": "path"})
    assert config.retries["mode"] == "standard"
    aws = S3("b", storage_options={"config_kwargs": {"connect_timeout": 3}}).filesystem()
    assert (aws.s3.meta.config.connect_timeout, aws.s3.meta.config.s3) == (3, None)
    assert S3Result("b", boto3_kwargs={"verify": False}).client_options == {"verify": False}


def test_options_of_uploads_are_those_of_every_upload(bucket: str) -> None:
    options = {"Metadata": {"team": "hydro"}, "StorageClass": "STANDARD_IA"}
    result = S3Result(bucket, location="x", upload_options=options)
    where = result.write(1)
    assert result.read(where) == 1
    head = result.filesystem().call_s3("head_object", Bucket=bucket, Key="x")
    assert (head["Metadata"], head["StorageClass"]) == ({"team": "hydro"}, "STANDARD_IA")


def test_a_storage_and_a_result_are_pickled_without_their_clients(bucket: str, flow: Flow) -> None:
    storage, result = S3(bucket), S3Result(bucket, location="x")
    storage.add_flow(flow)
    storage.build()
    where = result.write(1)
    script = "import pickle, sys\nstorage, result, where = pickle.load(sys.stdin.buffer)\nprint(result.read(where))"
    pickled = pickle.dumps((Storage.restore(storage.spec()), result, where))
    done = subprocess.run([sys.executable, "-c", script], input=pickled, capture_output=True, check=False)
    assert done.stdout.decode().strip() == "1", done.stderr


def test_threads_share_a_client(bucket: str) -> None:
    import threading

    found: list[Objects] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(S3(bucket).filesystem()))
        thread.start()
        thread.join()
    assert found[0] is found[1] is S3(bucket).filesystem()
    assert S3("other", region="eu-west-1").filesystem() is not found[0]


def test_variables_that_change_lead_elsewhere(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = S3Result(bucket).write(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(errors.ResultError, match=r"nobody answers at http://127\.0\.0\.1:1\."):
        S3Result(bucket, client_options={"config": {"retries": {"total_max_attempts": 1}}}).read(where)
    files = S3(bucket).filesystem()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert S3(bucket).filesystem() is not files


def test_importing_the_classes_loads_no_client() -> None:
    script = "from penstock_s3 import S3, S3Result; S3('b').spec(); import sys; print('botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr


def test_one_of_many_creates_an_object(bucket: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    files, address = connected(), f"{bucket}/one"

    def create(number: int) -> bool:
        try:
            files.pipe_file(address, str(number).encode(), mode="create")
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(32)))
    assert created.count(True) == 1
    assert files.cat_file(address) == str(created.index(True)).encode()


def test_the_package_names_what_it_has() -> None:
    import penstock_s3

    assert {getattr(penstock_s3, name).__name__ for name in penstock_s3.__all__} == set(penstock_s3.__all__)
    with pytest.raises(AttributeError, match="Nowhere"):
        _ = penstock_s3.Nowhere
