"""The `git` command, run so that it asks nobody, executes nothing that is configured, and ends in time."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock import errors
from penstock_fsspec import packages

_MOST_BYTES: Final = packages.MOST_BYTES + 2048 * packages.MOST_FILES  # what tar writes around each file
_MOST_WORDS: Final = 1 << 16
_KEPT: Final = ("GIT_SSH", "GIT_SSL_", "GIT_PROXY_SSL_", "GIT_HTTP_", "GIT_EXEC_PATH")
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",  # `ext::` would run any command
    "GIT_ASKPASS": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: its exit code, what it wrote, and what it said."""

    code: int
    output: bytes
    words: str


def run(*arguments: str, timeout: float, config: Mapping[str, str], variables: Mapping[str, str]) -> Done:
    """Run `git` with *arguments*, settings *config* and environment *variables*, for *timeout* seconds at most.

    The configuration of the user and of the machine is not read; ssh has its own, and may not ask for anything. Raises
    StorageError without a `git` command or if it writes too much, TimeoutError.
    """
    if shutil.which("git") is None:
        raise errors.StorageError("The git storage needs the command git, which is not on PATH here; install git")
    late = threading.Event()
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(  # noqa: S603 - no shell, and what is not ours stands behind `--`
            ["git", *arguments],  # noqa: S607 - the one on PATH
            env=_environment(config, variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            start_new_session=True,  # git's own children end with it, and no terminal can be asked
        ) as process,
    ):

        def stop() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            output = process.stdout.read(_MOST_BYTES + 1) if process.stdout else b""
            if len(output) <= _MOST_BYTES:
                process.wait()
        finally:
            timer.cancel()
            _kill(process)
        words.seek(0)
        said = words.read(_MOST_WORDS).decode(errors="replace")
    if late.is_set():
        raise TimeoutError(f"git did not end within {timeout:g} s")
    if len(output) > _MOST_BYTES:
        raise errors.StorageError(f"What git {arguments[0]} writes is larger than {_MOST_BYTES:,} bytes")
    return Done(process.returncode, output, said)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _environment(config: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name[:4] != "GIT_" or name.startswith(_KEPT)}
    if "GIT_SSH" not in kept:
        kept.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    numbered = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        numbered |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**kept, **_ENVIRONMENT, **numbered, **variables}
