"""What the tests of this plugin share: a server on a real socket that keeps what it is sent."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import stamina
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from penstock import settings

KEY = "k3y/with+signs"
Reply: TypeAlias = Callable[[Request], Awaitable[Response]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Let `$PENSTOCK_HOME` be a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
        patch.chdir(tmp_path)
        with settings.override():
            yield tmp_path / "home"


class CutResponse(Response):
    """Says how long it is, sends half of that, and cuts the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
        raise ConnectionResetError


@dataclass
class Server:
    """Keeps what is sent to `/flows/...`, for those who have the key."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    planted: list[Reply] = field(default_factory=list)

    def plant(self, *replies: "Response | int | None") -> None:
        """Answer the next requests with a response or status; None is never answered."""
        for one in replies:

            async def reply(request: Request, one: "Response | int | None" = one) -> Response:
                if one is None:
                    while (await request.receive())["type"] != "http.disconnect":
                        pass
                return Response("planted\n words", one) if isinstance(one, int) else one or Response()

            self.planted.append(reply)

    def plant_cut(self, content: bytes) -> None:
        self.plant(CutResponse(content))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.asked.append(request)
        response = await (self.planted.pop(0) if self.planted else self._answer)(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if request.headers.get("x-api-key") != KEY:
            return Response("who are you?", 401)
        if request.method in ("PUT", "POST"):
            self.files[path] = await request.body()
            return Response(status_code=201)
        return Response(self.files[path]) if path in self.files else Response(status_code=404)


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    server = Server()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options: dict[str, Any] = {"lifespan": "off", "ws": "none", "log_config": None, "log_level": "critical"}
        program = uvicorn.Server(uvicorn.Config(server, **options))
        thread = threading.Thread(target=lambda: asyncio.run(program.serve([listener])))
        thread.start()
        yield server
        program.should_exit = True
        thread.join()


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("PENSTOCK_SECRETS__FLOWS_KEY", KEY)
    for kept in (running.files, running.asked, running.planted):
        kept.clear()
    with stamina.set_testing(True, attempts=3, cap=True):
        yield running
