"""What the tests of this plugin share: repositories, and hosts that serve them over http and ssh."""

import asyncio
import base64
import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import asyncssh
import pytest

from penstock import settings

_MODES: Final = {"file": "100644", "program": "100755", "link": "120000", "submodule": "160000"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Let `$PENSTOCK_HOME` be a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
        patch.chdir(tmp_path)
        with settings.override():
            yield tmp_path / "home"


@dataclass(frozen=True)
class Repository:
    """A bare repository on this machine's disk."""

    path: Path

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *arguments: str, given: bytes = b"") -> str:
        command = ["git", f"--git-dir={self.path}", *arguments]
        done = subprocess.run(command, input=given, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def push(
        self,
        files: Mapping[str, bytes],
        branch: str = "main",
        *,
        modes: Mapping[str, str] | None = None,
        forced: bool = False,
    ) -> str:
        """Make *files* what is on a branch, and return the commit; a forced push forgets what was before."""
        ref = f"refs/heads/{branch}"
        known = not forced and self.git("for-each-ref", ref)
        lines = [f"commit {ref}", "committer Ada <ada@example.org> 0 +0000", "data 0", ""]
        lines += [f"from {ref}^0"] if known else []
        stream = ("\n".join([*lines, "deleteall", ""])).encode()
        for name, content in files.items():
            mode = _MODES[(modes or {}).get(name, "file")]
            if mode == _MODES["submodule"]:
                stream += f"M {mode} {content.decode()} {name}\n".encode()
            else:
                stream += f"M {mode} inline {name}\ndata {len(content)}\n".encode() + content + b"\n"
        self.git("fast-import", "--quiet", "--force", given=stream)
        return self.git("rev-parse", ref)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "acme" / "flows.git")


def make_repository(path: Path) -> Repository:
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True)
    return Repository(path)


@dataclass
class WebHost:
    """Repositories over http: `git http-backend`, behind basic authentication if there are *users*."""

    root: Path
    users: dict[str, str] = field(default_factory=dict)
    address: str = ""
    elsewhere: str | None = None
    """The address that every request is sent on to, if there is one."""
    authorizations: list[str] = field(default_factory=list)
    protocols: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "")
        self.authorizations.append(given)
        if self.elsewhere is not None:
            query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
            start_response("302 Found", [("Location", f"{self.elsewhere}{environ['PATH_INFO']}{query}")])
            return []
        if self.users and given not in [basic(user, word) for user, word in self.users.items()]:
            start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="repositories"')])
            return []
        variables = {name: str(value) for name, value in environ.items() if name.isupper()}
        variables |= {"GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH": os.environ["PATH"]}
        variables |= {"GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", "")}
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        done = subprocess.run(["git", "http-backend"], input=content, env=variables, check=True, capture_output=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        start_response(headers.pop("Status", "200 OK"), list(headers.items()))
        return [body]


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - its name there
        pass


@contextmanager
def serving(host: WebHost) -> Iterator[WebHost]:
    with make_server("127.0.0.1", 0, host, _Threaded, _Silent) as server:
        host.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebHost]:
    with serving(WebHost(tmp_path)) as host:
        yield host


@dataclass
class ShellHost:
    """Repositories over ssh, for whoever has the key; it speaks git's first protocol, as older servers do."""

    root: Path
    folder: Path
    port: int = 0

    @property
    def address(self) -> str:
        return f"ssh://git@127.0.0.1:{self.port}"

    def command(self, *, key: bool = True, known: bool = True) -> str:
        """Return the command that reads a user's ssh configuration with or without a key and the host."""
        options = ["IdentitiesOnly yes", "IdentityAgent none", "GlobalKnownHostsFile /dev/null", "BatchMode yes"]
        options += [f"IdentityFile {self.folder / 'user' if key else '/dev/null'}", "StrictHostKeyChecking yes"]
        options += [f"UserKnownHostsFile {self.folder / 'known_hosts' if known else '/dev/null'}"]
        configuration = self.folder / f"config-{key}-{known}"
        configuration.write_text("\n".join(options) + "\n", encoding="utf-8")
        return f"ssh -F {configuration}"

    async def serve(self, ready: Callable[[asyncio.Event], None]) -> None:
        host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        user.write_private_key(self.folder / "user")
        (self.folder / "user").chmod(0o600)  # ssh ignores a key that others may read
        user.write_public_key(self.folder / "user.pub")
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=str(self.folder / "user.pub"),
            process_factory=self._answer,
            encoding=None,
        )
        self.port = server.get_port()
        known = f"[127.0.0.1]:{self.port} {host.export_public_key().decode()}"
        (self.folder / "known_hosts").write_text(known, encoding="utf-8")
        stop = asyncio.Event()
        ready(stop)
        async with server:
            await stop.wait()

    async def _answer(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        program, path = shlex.split(process.command or "")
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
        folder = self.root / path.lstrip("/")
        served = await asyncio.create_subprocess_exec(program, str(folder), **pipes)  # type: ignore[arg-type]
        asking = asyncio.create_task(_copy(process.stdin, served.stdin, end=True))
        await asyncio.gather(_copy(served.stdout, process.stdout), _copy(served.stderr, process.stderr))
        process.exit(await served.wait())
        asking.cancel()


async def _copy(source: Any, target: Any, *, end: bool = False) -> None:
    with contextlib.suppress(ConnectionError, asyncssh.Error):  # whoever asked may be gone
        while content := await source.read(1 << 16):
            target.write(content)
            await target.drain()
        if end:
            target.write_eof()


@pytest.fixture
def sending_on(web: WebHost) -> Iterator[WebHost]:
    """Return a host that sends whoever asks on to the other."""
    with serving(WebHost(web.root, elsewhere=web.address)) as host:
        yield host


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShellHost]:
    folder = tmp_path / "ssh"
    folder.mkdir()
    host, started = ShellHost(tmp_path, folder), threading.Event()
    stops: list[Callable[[], object]] = []

    def ready(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        started.set()

    thread = threading.Thread(target=lambda: asyncio.run(host.serve(ready)))
    thread.start()
    assert started.wait(30)
    monkeypatch.setenv("GIT_SSH_COMMAND", host.command())
    yield host
    stops[0]()
    thread.join()
