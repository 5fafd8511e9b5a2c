"""For tests: a service on this machine that stands in for Google Cloud Storage.

It answers the part of the JSON API (https://cloud.google.com/storage/docs/json_api/v1) that gcsfs asks for, over real
connections: an object is there as a whole or not at all, `ifGenerationMatch=0` is checked and the object made in one
step, and errors have the documented form. What is stored is in memory.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

PAGE: Final = 3
"""How many objects a page of a listing has: few, so that listings have several pages."""
_RESOURCE: Final = re.compile(
    r"(?:/(?P<service>upload|download))?/storage/v1/b/(?P<bucket>[^/]+)/o(?:/(?P<name>[^/]+))?"
)
_HUNG_UP: Final = 499  # what Google answers where an upload is given up


@dataclass(frozen=True, slots=True)
class Blob:
    """An object: its content, and when it was written."""

    content: bytes
    written: datetime = field(default_factory=lambda: datetime.now(UTC))
    generation: int = field(default_factory=time.time_ns)

    def resource(self, bucket: str, name: str) -> dict[str, Any]:
        """Return what the service tells of it."""
        written = f"{self.written:%Y-%m-%dT%H:%M:%S.%fZ}"
        numbers = {"generation": str(self.generation), "metageneration": "1", "size": str(len(self.content))}
        return {"bucket": bucket, "name": name, "timeCreated": written, "updated": written, **numbers}


class RefusedError(Exception):
    """A request is answered with an error."""

    def __init__(self, status: int, message: str, reason: str) -> None:
        """Take what the answer's document says."""
        super().__init__(message)
        self.status, self.reason = status, reason

    def document(self) -> dict[str, Any]:
        """Return the answer."""
        told = [{"message": str(self), "domain": "global", "reason": self.reason}]
        return {"error": {"code": self.status, "message": str(self), "errors": told}}


@dataclass(slots=True)
class CloudStorage:
    """What is stored, who may ask for it, and what goes wrong."""

    url: str = ""
    buckets: dict[str, dict[str, Blob]] = field(default_factory=dict)
    bearer: str | None = None
    """The access token that every request needs, if one does; whoever asks for one is granted it."""
    rights: set[str] | None = None
    """What may be done (`storage.objects.get`), if not everything."""
    faults: list[Callable[["Request"], None] | None] = field(default_factory=list)
    """What is done in place of answering the next requests, each once; for None, they are answered."""
    asked: list[str] = field(default_factory=list)
    """The requests there were, as `METHOD path`."""
    uploads: dict[str, tuple[str, str, bool, bytearray]] = field(default_factory=dict)
    """Uploads in parts, by their number: bucket, name, whether it has to be absent, and what has come."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def allow(self, right: str) -> None:
        """Raise RefusedError if that may not be done."""
        if self.rights is not None and right not in self.rights:
            refused = f"flows@example.iam.gserviceaccount.com does not have {right} access to the object."
            message = f"{refused} Permission '{right}' denied on resource (or it may not exist)."
            raise RefusedError(403, message, "forbidden")

    def bucket(self, name: str) -> dict[str, Blob]:
        """Return the objects of a bucket."""
        if name not in self.buckets:
            raise RefusedError(404, "The specified bucket does not exist.", "notFound")
        return self.buckets[name]

    def get(self, bucket: str, name: str) -> Blob:
        """Return an object."""
        self.allow("storage.objects.get")
        objects = self.bucket(bucket)
        if name not in objects:
            raise RefusedError(404, f"No such object: {bucket}/{name}", "notFound")
        return objects[name]

    def put(self, bucket: str, name: str, content: bytes, *, absent: bool) -> dict[str, Any]:
        """Make an object, or replace one, in one step."""
        self.allow("storage.objects.create")
        with self.lock:
            objects = self.bucket(bucket)
            if name in objects and absent:
                message = "At least one of the pre-conditions you specified did not hold."
                raise RefusedError(412, message, "conditionNotMet")
            if name in objects:
                self.allow("storage.objects.delete")
            objects[name] = Blob(content)
            return objects[name].resource(bucket, name)

    def delete(self, bucket: str, name: str) -> None:
        """Delete an object."""
        self.allow("storage.objects.delete")
        with self.lock:
            if self.bucket(bucket).pop(name, None) is None:
                raise RefusedError(404, f"No such object: {bucket}/{name}", "notFound")

    def page(self, bucket: str, query: dict[str, str]) -> dict[str, Any]:
        """Return a page of a listing."""
        self.allow("storage.objects.list")
        with self.lock:
            objects = dict(self.bucket(bucket))
        prefix, begin = query.get("prefix", ""), query.get("pageToken", "")
        names = sorted(name for name in objects if name.startswith(prefix) and name > begin)
        most = min(int(query.get("maxResults", PAGE)), PAGE)
        listed = {"items": [objects[name].resource(bucket, name) for name in names[:most]]} if names else {}
        return {"kind": "storage#objects", **listed, **({"nextPageToken": names[most - 1]} if names[most:] else {})}

    def begin(self, bucket: str, name: str, *, absent: bool) -> str:
        """Return the number of a new upload in parts."""
        self.allow("storage.objects.create")
        self.bucket(bucket)
        with self.lock:
            number = str(len(self.uploads))
            self.uploads[number] = (bucket, name, absent, bytearray())
        return number

    def go_on(self, number: str, part: bytes, size: int) -> dict[str, Any] | int:
        """Take the next part of an upload; return the object it became, or how many bytes there are."""
        bucket, name, absent, content = self.uploads[number]
        content += part
        return len(content) if len(content) < size else self.put(bucket, name, bytes(content), absent=absent)


class Request(BaseHTTPRequestHandler):
    """A request, and how it is answered."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    storage: CloudStorage

    def log_message(self, *_: object) -> None:
        """Tell nothing."""

    def handle_one_request(self) -> None:
        """Answer a request, if the client is still there."""
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def answer(self, status: int, content: bytes | dict[str, Any] = b"", **headers: str) -> None:
        """Send an answer; a document goes as JSON."""
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Answer whatever is asked."""
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) < size:  # the client is gone, and what it began to send is nothing
            self.close_connection = True
            return
        self.storage.asked.append(f"{self.command} {self.path}")
        fault = self.storage.faults.pop(0) if self.storage.faults else None
        if fault is not None:
            fault(self)
            return
        try:
            self._route(body)
        except RefusedError as refused:
            self.answer(refused.status, refused.document())

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names that the standard library looks for

    def _route(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/token":
            self._grant()
            return
        self._check_token()
        match = _RESOURCE.fullmatch(parts.path)
        if match is None:
            raise RefusedError(501, f"{self.command} {self.path} is not known here", "notImplemented")
        bucket, name = unquote(match["bucket"]), unquote(match["name"] or "")
        if match["service"] == "upload":
            self._upload(bucket, query, body)
        elif self.command == "DELETE":
            self.storage.delete(bucket, name)
            self.answer(204)
        elif match["service"] == "download":
            self.answer(200, self.storage.get(bucket, name).content)
        elif name:
            self.answer(200, self.storage.get(bucket, name).resource(bucket, name))
        else:
            self.answer(200, self.storage.page(bucket, query))

    def _grant(self) -> None:
        if self.storage.bearer is None:
            self.answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        else:
            self.answer(200, {"access_token": self.storage.bearer, "expires_in": 3600, "token_type": "Bearer"})

    def _check_token(self) -> None:
        given = self.headers.get("Authorization")
        if self.storage.bearer is None or given == f"Bearer {self.storage.bearer}":
            return
        if given is not None:
            raise RefusedError(401, "Invalid Credentials", "authError")
        message = "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object."
        raise RefusedError(401, message, "required")

    def _upload(self, bucket: str, query: dict[str, str], body: bytes) -> None:
        absent = query.get("ifGenerationMatch") == "0"
        number = query.get("upload_id")
        if number is not None and self.command == "DELETE":
            del self.storage.uploads[number]
            self.answer(_HUNG_UP)
        elif number is not None:
            size = int(self.headers["Content-Range"].rpartition("/")[2])
            found = self.storage.go_on(number, body, size)
            if isinstance(found, int):
                self.answer(308, Range=f"bytes=0-{found - 1}")
            else:
                self.answer(200, found)
        elif query["uploadType"] == "resumable":
            number = self.storage.begin(bucket, query["name"], absent=absent)
            self.answer(200, Location=f"{self.storage.url}{self.path}&upload_id={number}")
        else:
            self.answer(200, self.storage.put(bucket, query["name"], body, absent=absent))


@contextmanager
def serving() -> Iterator[CloudStorage]:
    """Run a service on a free port of this machine, and return it; it has no buckets yet."""
    storage = CloudStorage()
    handler = type("Handler", (Request,), {"storage": storage})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        storage.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield storage
        finally:
            server.shutdown()
            thread.join()
