"""What the tests of this plugin share: CodeCommit's GetFolder and GetBlob on a real socket, as AWS documents them."""

import asyncio
import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from penstock import settings

_LISTS: Final = {"file": "files", "program": "files", "link": "symbolicLinks", "submodule": "subModules"}
_MODES: Final = {"file": "NORMAL", "program": "EXECUTABLE", "link": "SYMLINK"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Let `$PENSTOCK_HOME` be a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
        patch.chdir(tmp_path)
        with settings.override():
            yield tmp_path / "home"


class RefusedError(Exception):
    """Answered as an error of that name."""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:40]


@dataclass
class Service:
    """The repository "flows", for whoever has a key of *keys*."""

    address: str = ""
    keys: set[str] = field(default_factory=set)
    commits: dict[str, dict[str, tuple[str, bytes]]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    planted: list[tuple[int, str]] = field(default_factory=list)

    def push(
        self, files: Mapping[str, bytes], ref: str = "refs/heads/main", kinds: Mapping[str, str] | None = None
    ) -> str:
        """Make *files* what is on a branch or tag, and return the commit."""
        tree = {name: ((kinds or {}).get(name, "file"), content) for name, content in files.items()}
        commit = digest(repr([ref, tree]).encode())
        self.commits[commit] = tree
        self.refs[ref] = commit
        return commit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        name = request.headers["x-amz-target"].removeprefix("CodeCommit_20150413.")
        self.asked.append(name)
        given = await request.json()
        try:
            response: Response = JSONResponse(self._answer(request, name, given))
        except RefusedError as error:
            response = _failure(400, str(error))
        if self.planted:
            response = _failure(*self.planted.pop(0))
        await response(scope, receive, send)

    def _answer(self, request: Request, name: str, given: dict[str, str]) -> dict[str, Any]:
        key = request.headers["authorization"].partition("Credential=")[2].partition("/")[0]
        if key not in self.keys:
            raise RefusedError("UnrecognizedClientException")
        if given["repositoryName"] != "flows":
            raise RefusedError("RepositoryDoesNotExistException")
        return self.get_folder(given) if name == "GetFolder" else self.get_blob(given)

    def get_folder(self, given: dict[str, str]) -> dict[str, Any]:
        specifier = given.get("commitSpecifier", "refs/heads/main")
        names = (specifier, f"refs/heads/{specifier}", f"refs/tags/{specifier}")
        commit = next((self.refs[name] for name in names if name in self.refs), specifier)
        if commit not in self.commits:
            raise RefusedError("CommitDoesNotExistException")
        folder = given["folderPath"].strip("/")
        answer: dict[str, Any] = {name: [] for name in {*_LISTS.values(), "subFolders"}}
        answer |= {"commitId": commit, "folderPath": folder, "treeId": commit}
        for path, (kind, content) in sorted(self.commits[commit].items()):
            if not path.startswith(f"{folder}/" if folder else ""):
                continue
            inner, *deeper = path.removeprefix(folder).lstrip("/").split("/")
            place = {"absolutePath": f"{folder}/{inner}".lstrip("/"), "relativePath": inner}
            if deeper:
                subfolder = {"treeId": commit, **place}
                answer["subFolders"] += [subfolder] if subfolder not in answer["subFolders"] else []
            elif kind == "submodule":
                answer["subModules"].append({"commitId": "1" * 40, **place})
            else:
                answer[_LISTS[kind]].append({"blobId": digest(content), "fileMode": _MODES[kind], **place})
        return answer

    def get_blob(self, given: dict[str, str]) -> dict[str, Any]:
        for tree in self.commits.values():
            for _, content in tree.values():
                if digest(content) == given["blobId"]:
                    return {"content": base64.b64encode(content).decode()}
        raise RefusedError("BlobIdDoesNotExistException")


def _failure(status: int, code: str) -> Response:
    return Response(json.dumps({"__type": code, "message": f"about {code}"}), status)


@pytest.fixture(scope="session")
def running() -> Iterator[Service]:
    service = Service()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options: dict[str, Any] = {"lifespan": "off", "ws": "none", "log_config": None, "log_level": "critical"}
        program = uvicorn.Server(uvicorn.Config(service, **options))
        thread = threading.Thread(target=lambda: asyncio.run(program.serve([listener])))
        thread.start()
        yield service
        program.should_exit = True
        thread.join()


@pytest.fixture
def service(running: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    for kept in (running.commits, running.refs, running.asked, running.planted, running.keys):
        kept.clear()
    running.keys.add("AKIAFLOWS")
    variables = {
        "AWS_ACCESS_KEY_ID": "AKIAFLOWS",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t/of+flows",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_CODECOMMIT": running.address,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    return running
