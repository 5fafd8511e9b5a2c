"""What the servers have in common: sockets, faults that a test plants, ETags, and a list of what was asked."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import unquote

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from forges.repositories import Repository

Reply = Callable[[Request], Response]
Served = TypeVar("Served", bound="Forge")


@dataclass(frozen=True)
class Asked:
    """A request and the status that answered it."""

    path: str
    headers: dict[str, str]
    status: int


@dataclass
class _Planted:
    reply: Reply
    inside: str
    left: int


class CutResponse(Response):
    """Says how long it is, sends half of that, and cuts the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
        raise ConnectionResetError


def status(code: int, words: str = "planted", **headers: str) -> Reply:
    """Answer with a status, words and headers (`retry_after="3"`)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: JSONResponse({"message": words}, code, named)


def rate_limited(seconds: float, code: int = 403) -> Reply:
    """Say that all requests are used until *seconds* from now, as GitHub does."""
    reset = str(int(time.time() + seconds))
    words = "API rate limit exceeded for 127.0.0.1."
    headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    return lambda _: JSONResponse({"message": words}, code, headers)


def content(body: bytes, media_type: str = "application/octet-stream") -> Reply:
    """Answer well, with anything."""
    return lambda _: Response(body, media_type=media_type)


def document(value: Any) -> Reply:
    """Answer well, with any JSON."""
    return lambda _: JSONResponse(value)


def cut(body: bytes = b"0" * 1000) -> Reply:
    """Cut the connection in the middle of an answer."""
    return lambda _: CutResponse(body)


def redirect(address: str) -> Reply:
    """Send to another address."""
    return lambda _: RedirectResponse(address, 302)


class Forge:
    """A host of repositories. `answer` and `refuse` are its own API's."""

    below: ClassVar[str] = ""
    """The path of the API."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: set[str] = set()
        self.asked: list[Asked] = []
        self.address = ""
        self._planted: list[_Planted] = []

    @property
    def api(self) -> str:
        """The address of the API."""
        return f"{self.address}{self.below}"

    def plant(self, reply: Reply, inside: str = "", times: int = 1) -> None:
        """Answer the next requests whose path has *inside* in it with *reply*."""
        self._planted.append(_Planted(reply, inside, times))

    def clear(self) -> None:
        """Forget what was planted."""
        self._planted.clear()

    def count(self, code: int) -> int:
        """Return how many requests were answered with a status."""
        return sum(asked.status == code for asked in self.asked)

    def token_of(self, request: Request) -> str | None:
        """Return the token of a request, in whatever header it is."""
        raise NotImplementedError

    def answer(self, request: Request, parts: list[str]) -> Response:
        """Answer a request for a path below the API's, in decoded parts."""
        raise NotImplementedError

    def refuse(self, code: int) -> Response:
        """Answer that a token is wrong (401), or that there is nothing (404)."""
        raise NotImplementedError

    def readable(self, name: str, request: Request) -> Repository | None:
        """Return a repository, if there is one that the request's token may read."""
        found = self.repositories.get(name)
        return found if found and (not found.tokens or self.token_of(request) in found.tokens) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = Request(scope)
        response = _with_etag(self._reply(request), request)
        response.headers.setdefault("date", formatdate(usegmt=True))
        path = scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append(Asked(path, dict(request.headers), response.status_code))
        await response(scope, receive, send)

    def _reply(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode()
        for planted in self._planted:
            if planted.left and planted.inside in path:
                planted.left -= 1
                return planted.reply(request)
        token = self.token_of(request)
        known = self.tokens.union(*(one.tokens for one in self.repositories.values()))
        if token is not None and token not in known:
            return self.refuse(401)
        return self.answer(request, [unquote(part) for part in path.removeprefix(self.below).strip("/").split("/")])

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serve on a free port of this machine."""
        with running() as place:
            yield place.serve(self)


class Place:
    """A port of this machine, where one host after another serves: a server takes longer to stop than a test."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._forge: Forge

    def serve(self, forge: Served) -> Served:
        """Let a host serve here, in place of the one before."""
        forge.address = self.address
        self._forge = forge
        return forge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._forge(scope, receive, send)


@contextmanager
def running() -> Iterator[Place]:
    """Run a server as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = Place(f"http://127.0.0.1:{listener.getsockname()[1]}")
        options: dict[str, Any] = {"lifespan": "off", "ws": "none", "log_config": None, "log_level": "critical"}
        options["date_header"] = False  # a test may have set one
        server = uvicorn.Server(uvicorn.Config(place, **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield place
        finally:
            server.should_exit = True
            thread.join()


def _with_etag(response: Response, request: Request) -> Response:
    if response.status_code != 200 or isinstance(response, CutResponse):
        return response
    etag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return response
