"""For tests and for trying things out: a service on this machine that stands in for S3 (it is moto's).

`with serving("bucket") as environ:` gives the variables that lead boto, and so penstock, there. Needs
`pip install 'penstock-s3[testing]'`.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.request import Request, urlopen


@contextmanager
def serving(*buckets: str) -> Iterator[dict[str, str]]:
    """Run a service in a process of its own, with empty *buckets*, and yield the variables that lead there.

    It listens on a free port of 127.0.0.1, accepts any credentials, and forgets everything when it ends: with the
    block, or with this process. `environ["AWS_ENDPOINT_URL"]` is its address.
    """
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            endpoint = process.stdout.readline().strip() if process.stdout else ""
            if not endpoint:
                raise RuntimeError("The service did not start; what it said is above")
            for bucket in buckets:
                make_bucket(endpoint, bucket)
            yield {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "anybody",
                "AWS_SECRET_ACCESS_KEY": "anything",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            if process.stdin:
                process.stdin.close()


def make_bucket(endpoint: str, bucket: str) -> None:
    """Make an empty bucket in the service at *endpoint*."""
    with urlopen(Request(f"{endpoint}/{bucket}", method="PUT")):  # noqa: S310 - a service of our own
        pass


def _serve() -> None:
    """Serve until standard input ends, as it does with whoever started this."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    running: Any = server._server  # noqa: SLF001 - moto has no other way to it
    running.app = _one_creation_at_a_time(running.app)
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 - its output is its address
    sys.stdin.read()


def _one_creation_at_a_time(application: Any) -> Any:
    """Return a WSGI application that looks whether an object is there and puts it there in one step, as S3 does.

    moto looks first and writes afterwards, with nothing to keep its other threads from coming between.
    """
    lock = threading.Lock()

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        with lock if "HTTP_IF_NONE_MATCH" in environ else nullcontext():
            return application(environ, start_response)

    return serve


if __name__ == "__main__":
    _serve()
