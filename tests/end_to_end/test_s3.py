"""Flows in a bucket, from the page that shows it to the run by an agent that knows nothing but credentials."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.storage import S3
from penstock_s3.testing import make_bucket, serving

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]

# The page of the classic's documentation as it stands, but for the name of the package and of the bucket.
SEED = """
from penstock import Flow
from penstock.storage import S3

flow = Flow("s3-flow", storage=S3(bucket="{bucket}"))

flow.storage.build()
"""

FLOW = """
from penstock import Flow, task

@task
def recipe_of_the_house(sugar):
    return f"caramel-{{sugar + 57}}-grams"

with Flow("kitchen", storage="s3://{bucket}/flows") as flow:
    recipe_of_the_house(6)
"""


@pytest.fixture(scope="module")
def service() -> Iterator[dict[str, str]]:
    """The variables that lead to a service."""
    with serving() as environ:
        yield environ


@pytest.fixture
def bucket(service: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty bucket; this process and those it starts are led to it."""
    for name, value in service.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    make_bucket(service["AWS_ENDPOINT_URL"], name)
    return name


def lying(bucket: str) -> dict[str, bytes]:
    """What lies in the bucket, by name."""
    files = S3(bucket).filesystem()
    return {path.removeprefix(f"{bucket}/"): files.cat_file(path) for path in files.find(bucket)}


def test_the_page_about_s3_works_as_it_stands(bucket: str, run: Run, write: Write) -> None:
    script = write("page.py", SEED.format(bucket=bucket))
    run("python", "page.py")
    ((name, content),) = lying(bucket).items()
    assert re.fullmatch(r"s3-flow/\d{4}-\d\d-\d\dt\d\d-\d\d-\d\d-\d{6}-00-00", name)
    assert content == script.read_bytes()


def test_an_agent_with_credentials_alone_runs_what_lies_in_the_bucket(
    bucket: str, run: Run, write: Write, tmp_path: Path
) -> None:
    script = write("kitchen.py", FLOW.format(bucket=bucket))
    run("penstock", "register", "kitchen.py", "--project", "house")
    source = script.read_bytes()
    script.unlink()
    run("penstock", "run", "--flow", "house/kitchen", "--name", "sweet-otter", "--no-wait")
    run("penstock", "agent", "start", "--until-idle")
    (shown,) = json.loads(run("penstock", "runs", "list", "--json").stdout)
    assert (shown["name"], shown["state"]["type"]) == ("sweet-otter", "Success")

    flows = {name: content for name, content in lying(bucket).items() if name.startswith("flows/kitchen/")}
    results = {name: content for name, content in lying(bucket).items() if name.startswith("flows/results/")}
    assert list(flows.values()) == [source]
    assert any(b"caramel-63-grams" in content for content in results.values())
    assert lying(bucket).keys() == {*flows, *results}

    written = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("penstock.db*"))
    assert b"recipe_of_the_house" in written  # names are metadata
    for known in ("caramel-", "63-grams", "sugar + 57", os.environ["AWS_SECRET_ACCESS_KEY"]):
        assert known.encode() not in written
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"caramel-63-grams" not in kept


def test_an_agent_finds_the_credentials_in_the_secret_that_the_flow_names(
    bucket: str, service: dict[str, str], run: Run, write: Write, tmp_path: Path
) -> None:
    options = f"endpoint_url={service['AWS_ENDPOINT_URL']}&region=eu-west-1&credentials=BUCKET"
    write("kitchen.py", FLOW.format(bucket=bucket).replace("/flows", f"/flows?{options}"))
    keys = {"key": "somebody-else", "secret": "another-secret-key"}
    alone = dict.fromkeys(service, "")
    known = {**alone, "PENSTOCK_SECRETS__BUCKET": json.dumps(keys)}
    run("penstock", "register", "kitchen.py", "--project", "house", **known)
    run("penstock", "run", "--flow", "house/kitchen", "--name", "sweet-otter", "--no-wait", **alone)
    run("penstock", "agent", "start", "--until-idle", **known)
    (shown,) = json.loads(run("penstock", "runs", "list", "--json", **alone).stdout)
    assert shown["state"]["type"] == "Success"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"another-secret-key" not in kept


def test_a_source_that_was_tampered_with_is_not_executed(bucket: str, run: Run, write: Write, tmp_path: Path) -> None:
    write("kitchen.py", FLOW.format(bucket=bucket))
    run("penstock", "register", "kitchen.py", "--project", "house")
    ((name, content),) = lying(bucket).items()
    sentinel = tmp_path / "executed"
    S3(bucket).filesystem().pipe_file(f"{bucket}/{name}", f"open({str(sentinel)!r}, 'w')\n".encode() + content)
    run("penstock", "run", "--flow", "house/kitchen", "--name", "odd-otter", "--no-wait")
    run("penstock", "agent", "start", "--until-idle")
    (shown,) = json.loads(run("penstock", "runs", "list", "--json").stdout)
    assert shown["state"]["type"] == "Failed"
    assert "changed since registration" in run("penstock", "runs", "show", "odd-otter").stdout
    assert not sentinel.exists()
