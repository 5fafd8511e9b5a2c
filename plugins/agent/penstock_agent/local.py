"""Flow-run processes on this host: the run config, the process, and the spare that waits for the next run."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field

from penstock.run_configs.base import Launch, RunConfig
from penstock_agent.job import Surroundings

_CHILD: Final = (sys.executable, "-m", "penstock_agent.child")
_READ_AT_START: Final = ("PYTHON", "LD_", "MALLOC_", "DYLD_")
"""Variables that a process reads before any Python code runs: a spare would come too late for them."""


class LocalProcess:
    """A process with everything it starts, in a session of its own."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: str | None) -> None:
        """Start *command*; raises OSError if that cannot be done."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module, in this interpreter
            command, stdin=subprocess.PIPE, env=env, cwd=folder, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._process.pid

    def hand_over(self, content: bytes) -> None:
        """Write to the standard input of the process, and close it; raises OSError if the process is gone."""
        if self._process.stdin is not None:
            self._process.stdin.write(content)
            self._process.stdin.close()

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs; what it left running ends with it."""
        if self._process.returncode is None and self._process.poll() is not None:
            self._send(signal.SIGKILL)
            self._let_go()
        return self._process.returncode

    def terminate(self) -> None:
        """Ask the process and its children to end."""
        if self._process.returncode is None:
            self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the process and its children at once."""
        if self._process.returncode is None:
            self._send(signal.SIGKILL)

    def _let_go(self) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):  # of what could not be written any more
                self._process.stdin.close()

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # nobody is left
            os.killpg(self.pid, number)


class Spare(LocalProcess):
    """A process that has imported penstock and *modules*, and waits to be told what to run, and where."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """Start it."""
        super().__init__([*_CHILD, "--warm", *modules], os.environ, None)

    def close(self) -> None:
        """End it unused."""
        self.kill()
        self._process.wait()
        self._let_go()


class LocalRun(RunConfig):
    """Run a flow in a process on the agent's host, with variables and a folder of its own."""

    type: ClassVar[str] = "local"

    working_dir: str | None = Field(default=None, description="the folder the process works in; the agent's by default")

    def start(self, launch: Launch, spare: Spare | None = None) -> LocalProcess:
        """Start the process, or let *spare* become it; raises OSError if that cannot be done."""
        env = {**launch.env, **self.env}
        folder = str(Path(self.working_dir or ".").expanduser().absolute())
        if not Path(folder).is_dir():
            message = f"The working folder {folder} does not exist on this host"
            raise NotADirectoryError(message)
        if spare is not None:
            surroundings = Surroundings(env=env, folder=folder).model_dump_json().encode()
            spare.hand_over(surroundings + b"\n" + launch.message)
            return spare
        process = LocalProcess(_CHILD, {**os.environ, **env}, folder)
        process.hand_over(launch.message)
        return process

    def takes_a_spare(self) -> bool:
        """Return whether a process that is there already can become this one."""
        return not any(name.startswith(_READ_AT_START) for name in self.env)


class Spares:
    """Keeps one spare ready."""

    def __init__(self, modules: Sequence[str]) -> None:
        """Have spares import *modules*."""
        self._modules = modules
        self._spare: Spare | None = None

    def fill(self) -> None:
        """Start a spare if there is none."""
        if self._spare is not None and self._spare.poll() is not None:
            self._spare = None
        if self._spare is None:
            self._spare = Spare(self._modules)

    def take(self) -> Spare | None:
        """Return the spare if there is one that lives; it is the caller's from then on."""
        spare, self._spare = self._spare, None
        return spare if spare is not None and spare.poll() is None else None

    def close(self) -> None:
        """End the spare."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()
