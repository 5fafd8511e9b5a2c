"""What a connection that breaks leaves behind."""

from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from penstock import errors
from penstock.storage import Source
from penstock_s3 import S3, S3Result

ONCE: dict[str, Any] = {"config": {"retries": {"total_max_attempts": 1}}}


def through(proxy: Any, bucket: str) -> S3Result:
    return S3Result(bucket, location="x", endpoint_url=proxy.endpoint, client_options=ONCE)


def test_an_upload_that_is_cut_leaves_the_old_value(bucket: str, proxy: Any) -> None:
    direct = S3Result(bucket, location="x")
    where = direct.write("old")
    proxy.up = 100_000
    with pytest.raises(errors.ResultError, match=f"the connection to {proxy.endpoint} broke off"):
        through(proxy, bucket).write(bytes(1_000_000))
    assert proxy.broken
    assert direct.read(where) == "old"


def test_an_upload_that_is_cut_once_is_tried_again(bucket: str, proxy: Any) -> None:
    proxy.up, proxy.breaks = 100_000, 1
    where = through(proxy, bucket).write(bytes(1_000_000))
    assert proxy.broken == 1
    assert S3Result(bucket).read(where) == bytes(1_000_000)


def test_a_download_that_is_cut_is_an_error(bucket: str, proxy: Any) -> None:
    where = S3Result(bucket, location="x").write(bytes(1_000_000))
    proxy.down = 100_000
    with pytest.raises(errors.ResultError, match=f"the connection to {proxy.endpoint} broke off") as caught:
        through(proxy, bucket).read(where)
    assert proxy.broken
    assert not isinstance(caught.value, errors.ResultMissingError | errors.ResultCorruptError)


def test_a_download_that_is_cut_once_is_tried_again(bucket: str, proxy: Any) -> None:
    where = S3Result(bucket, location="x").write(bytes(1_000_000))
    proxy.down, proxy.breaks = 100_000, 1
    assert through(proxy, bucket).read(where) == bytes(1_000_000)
    assert proxy.broken == 1


def test_a_source_whose_upload_is_cut_is_not_stored(bucket: str, proxy: Any, source: Source) -> None:
    proxy.up = 100_000
    storage = S3(bucket, endpoint_url=proxy.endpoint, client_options=ONCE)
    with pytest.raises(errors.StorageUnreachableError, match=r"A flow cannot be written in .* broke off"):
        storage.put(source)
    assert list(S3(bucket).stored()) == []
    assert storage.put(Source(source.flow_name, b"small", "script", source.created)).size == 5


def test_a_large_object_is_written_in_parts_and_appears_whole_or_not_at_all(bucket: str, proxy: Any) -> None:
    large, part = bytes(range(256)) * 50_000, 5 * 2**20
    files = through(proxy, bucket).filesystem()
    proxy.up = 2 * 2**20
    with pytest.raises(BotoCoreError):
        files.pipe_file(f"{bucket}/x", large, chunksize=part, mode="create")
    assert not files.isfile(f"{bucket}/x")
    assert files.list_multipart_uploads(bucket) == []
    proxy.up = None
    files.pipe_file(f"{bucket}/x", large, chunksize=part, mode="create")
    with pytest.raises(FileExistsError):
        files.pipe_file(f"{bucket}/x", large[1:], chunksize=part, mode="create")
    assert files.list_multipart_uploads(bucket) == []
    assert files.cat_file(f"{bucket}/x") == large


@pytest.fixture
def source() -> Source:
    from penstock import clock

    return Source("large", bytes(1_000_000), "script", clock.now())
