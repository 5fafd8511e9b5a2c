"""What the tests of this plugin share: a home of their own, a service that stands in for S3, buckets in it."""

import contextlib
import select
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from penstock import settings
from penstock_s3.testing import make_bucket, serving


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Let `$PENSTOCK_HOME` be a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
        patch.chdir(tmp_path)
        with settings.override():
            yield tmp_path / "home"


@pytest.fixture(scope="session")
def service() -> Iterator[dict[str, str]]:
    """The variables that lead to a service."""
    with serving() as environ:
        yield environ


@pytest.fixture
def endpoint(service: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the service, to which boto's own variables lead too."""
    for name, value in service.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return service["AWS_ENDPOINT_URL"]


@pytest.fixture
def bucket(endpoint: str) -> str:
    """The name of an empty bucket."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    make_bucket(endpoint, name)
    return name


Answering = Callable[..., str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Return a function that starts a service with one answer to everything, and returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: str = "", **headers: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body.encode())

            do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815 - names of http.server's

            def log_message(self, *args: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Proxy:
    """Passes connections on to a service, and breaks the first few after so many bytes in one direction."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition("/")[2].partition(":")
        self._target = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.up: int | None = None
        self.down: int | None = None
        self.breaks = 1000
        self.broken = 0
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # no longer listening
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server, contextlib.suppress(OSError):
            left = {client: self.up, server: self.down}
            while True:
                for source in select.select(list(left), [], [])[0]:
                    sink, most, data = server if source is client else client, left[source], source.recv(65536)
                    if not data:
                        return
                    if most is not None and len(data) > most and self.broken < self.breaks:
                        self.broken += 1
                        sink.sendall(data[:most])
                        return
                    sink.sendall(data)
                    left[source] = most and most - len(data)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()


@pytest.fixture
def proxy(endpoint: str) -> Iterator[Proxy]:
    """A proxy before the service."""
    made = Proxy(endpoint)
    yield made
    made.close()
