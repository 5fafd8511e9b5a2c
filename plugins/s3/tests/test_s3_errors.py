"""What S3 and the way there can refuse, and what users are told to do about it."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.request import Request, urlopen

import boto3
import pytest

from penstock import clock, errors
from penstock.storage import Source
from penstock_s3 import S3, S3Result
from penstock_s3.testing import serving

ONCE: Final[dict[str, Any]] = {"config": {"retries": {"total_max_attempts": 1}}}
WRONG: Final = "wJalrXUtnFEMI/K7MDENG"

Answering = Callable[..., str]
Made = dict[str, Any]


@pytest.fixture
def source() -> Source:
    return Source("My Flow", b"content", "script", clock.now())


def document(code: str, **more: str) -> str:
    """An error as S3 writes it."""
    inner = "".join(
        f"<{name}>{value}</{name}>" for name, value in {"Code": code, "Message": "it is so", **more}.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}<RequestId>4442587FB7D0A2F9</RequestId></Error>'


def told(storage: S3, source: Source) -> list[str]:
    """What is said where a flow is written, read, listed and removed, and a result is looked for."""
    reference = source.refer(f"{storage.root}/x")
    result = S3Result(**storage.model_dump(include=set(S3Result.model_fields) & set(S3.model_fields)))
    messages = []
    for use, expected in (
        (lambda: storage.put(source), errors.StorageUnreachableError),
        (lambda: storage.fetch(reference), errors.StorageUnreachableError),
        (lambda: list(storage.stored()), errors.StorageUnreachableError),
        (lambda: storage.remove(reference.location), errors.StorageUnreachableError),
        (lambda: result.exists("x"), errors.ResultError),
    ):
        with pytest.raises(expected) as caught:
            use()
        messages.append(str(caught.value))
    return messages


def test_a_bucket_that_is_missing_is_named(endpoint: str, source: Source) -> None:
    storage = S3("of-nobody")
    for use in (lambda: storage.put(source), lambda: storage.fetch(source.refer("x")), lambda: [*storage.stored()]):
        with pytest.raises(
            errors.StorageUnreachableError, match=r'there is no bucket "of-nobody" .*Create it, or corr'
        ):
            use()
    for ask in (lambda: S3Result("of-nobody").write(1), lambda: S3Result("of-nobody").exists("x")):
        with pytest.raises(errors.ResultError, match='there is no bucket "of-nobody"'):
            ask()


def test_an_object_that_is_missing_is_missing_and_nothing_worse(bucket: str, source: Source) -> None:
    assert not S3Result(bucket).exists("x")
    with pytest.raises(errors.ResultMissingError):
        S3Result(bucket).read("x")
    with pytest.raises(errors.FlowNotStoredError, match="register the flow again"):
        S3(bucket).fetch(source.refer(f"s3://{bucket}/x"))
    assert list(S3(bucket, prefix="nothing/here").stored()) == []


def test_a_name_that_no_bucket_can_have_is_explained(endpoint: str, source: Source) -> None:
    with pytest.raises(errors.StorageUnreachableError, match='"<my-bucket>" is no name for a bucket'):
        S3("<my-bucket>").put(source)


def test_an_option_that_the_client_does_not_know_is_named(bucket: str) -> None:
    with pytest.raises(errors.ResultError, match=r"an option does not fit: .*Metadata"):
        S3Result(bucket, upload_options={"Metadata": "no mapping"}).write(1)


def test_an_endpoint_at_which_nobody_answers_is_named(endpoint: str, source: Source) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    for message in told(S3("bucket", endpoint_url=nobody, client_options=ONCE), source):
        assert f"nobody answers at {nobody}. Check the network" in message


def test_an_endpoint_that_is_silent_is_given_up(endpoint: str, source: Source) -> None:
    config = {"retries": {"total_max_attempts": 1}, "read_timeout": 0.05}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(errors.StorageUnreachableError, match=f"the connection to {address} broke off, also when"):
            S3("bucket", endpoint_url=address, client_options={"config": config}).put(source)


def test_an_endpoint_without_tls_is_explained(endpoint: str, source: Source) -> None:
    secure = endpoint.replace("http:", "https:")
    with pytest.raises(errors.StorageUnreachableError, match=f"no secure connection to {secure} was made.*verify"):
        S3("bucket", endpoint_url=secure, client_options=ONCE).put(source)


def test_credentials_that_are_not_there_are_missed(
    endpoint: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for message in told(S3("bucket", region="eu-west-1"), source):
        assert 'no credentials were found. Name a secret with the option "credentials", or log in' in message


@pytest.fixture(scope="module")
def guarded() -> Iterator[Made]:
    """A service that checks who asks, and the keys of somebody who may do nothing there."""
    with serving("bucket") as environ:
        known = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        iam = boto3.client("iam", endpoint_url=environ["AWS_ENDPOINT_URL"], **known)
        iam.create_user(UserName="nobody")
        keys = iam.create_access_key(UserName="nobody")["AccessKey"]
        iam.close()
        address, plain = f"{environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        with urlopen(Request(address, data=b"0", headers=plain, method="POST")):  # noqa: S310 - a service of our own
            yield {**environ, "key": keys["AccessKeyId"], "secret": keys["SecretAccessKey"]}


def at(guarded: Made, monkeypatch: pytest.MonkeyPatch, **keys: str) -> S3:
    monkeypatch.setenv("PENSTOCK_SECRETS__KEYS", json.dumps(keys))
    return S3("bucket", endpoint_url=guarded["AWS_ENDPOINT_URL"], region="us-east-1", credentials="KEYS")


def test_the_right_that_is_missing_is_named(guarded: Made, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = at(guarded, monkeypatch, key=guarded["key"], secret=guarded["secret"])
    rights = ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject", "s3:GetObject, and s3:ListBucket"]
    for right, message in zip(rights, told(storage, source), strict=True):
        assert message.endswith(right) or f"{right}, without" in message
        assert f"{guarded['AWS_ENDPOINT_URL']} refuses " in message
        assert 'What the keys in the secret "KEYS" need' in message
        assert guarded["secret"] not in message


@pytest.mark.parametrize("wrong", ["key", "secret"])
def test_keys_that_are_wrong_are_told_from_rights_that_are_missing(
    guarded: Made, source: Source, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    keys = {"key": guarded["key"], "secret": guarded["secret"], wrong: WRONG}
    code = {"key": "InvalidAccessKeyId", "secret": "SignatureDoesNotMatch"}[wrong]
    expected = rf'does not accept the keys in the secret "KEYS" \({code}\)'
    with pytest.raises(errors.StorageUnreachableError, match=expected) as caught:
        at(guarded, monkeypatch, **keys).put(source)
    assert WRONG not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (
            301,
            document("PermanentRedirect", Endpoint="bucket.s3.eu-central-1.amazonaws.com"),
            {"x_amz_bucket_region": "eu-central-1"},
            'the bucket "bucket" is in eu-central-1. Set the option "region" to that',
        ),
        (
            400,
            document("AuthorizationHeaderMalformed", Region="eu-west-3"),
            {},
            'the bucket "bucket" is in eu-west-3. Set the option "region" to that',
        ),
        (
            400,
            document("IllegalLocationConstraintException"),
            {},
            'the bucket "bucket" is in another region. Set the option "region" to that',
        ),
        (
            400,
            document("ExpiredToken").replace("</Message>", "</Message><Token-0>FwoGZXIvYXdz</Token-0>"),
            {},
            "the credentials found here were temporary and have expired. Get new ones, and try again",
        ),
        (
            403,
            document(
                "RequestTimeTooSkewed",
                RequestTime="20261122T120000Z",
                ServerTime="2026-11-22T14:00:00Z",
                MaxAllowedSkewMilliseconds="900000",
            ),
            {},
            "not that of {endpoint}: it is 20261122T120000Z here, and 2026-11-22T14:00:00Z there. Set it, best by NTP",
        ),
        (503, document("SlowDown"), {}, "{endpoint} was too busy or failed (SlowDown), also when asked again"),
        (500, document("InternalError"), {}, "{endpoint} was too busy or failed (InternalError), also when asked"),
        (409, document("ConditionalRequestConflict"), {}, "somebody else was writing the same object all the time"),
        (501, document("NotImplemented"), {}, "{endpoint} does not know what PutObject asked of it (it is so). A stor"),
        (418, document("Teapot"), {}, "An error occurred (Teapot) when calling the PutObject operation: it is so"),
    ],
    ids=[
        *("redirect", "malformed", "elsewhere", "expired", "clock", "busy", "failed", "conflict", "unknown"),
        "never-heard-of",
    ],
)
def test_what_the_service_answers_is_explained(
    endpoint: str,
    answering: Answering,
    source: Source,
    status: int,
    body: str,
    headers: dict[str, str],
    expected: str,
) -> None:
    there = answering(status, body, **headers)
    storage = S3("bucket", endpoint_url=there, region="us-east-1", client_options=ONCE)
    with pytest.raises(errors.StorageUnreachableError) as caught:
        storage.put(source)
    assert expected.format(endpoint=there) in str(caught.value)
    assert "FwoGZXIvYXdz" not in str(caught.value)


def test_a_name_that_is_taken_is_known_by_the_status_alone(endpoint: str, answering: Answering) -> None:
    there = answering(412)
    files = S3("bucket", endpoint_url=there, client_options=ONCE).filesystem()
    with pytest.raises(FileExistsError):
        files.pipe_file("bucket/x", b"", mode="create")


def test_where_no_answer_names_a_reason_the_right_is_still_named(endpoint: str, answering: Answering) -> None:
    there = answering(403)
    with pytest.raises(errors.ResultError, match=r"refuses HeadObject\. What the credentials found here need is .*Get"):
        S3Result("bucket", endpoint_url=there, client_options=ONCE).exists("x")
