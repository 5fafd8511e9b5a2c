"""The process of a flow run: `python -m penstock_agent.child`, with a job on its standard input.

With `--warm MODULE...` it is a spare: it imports what any run needs, then waits for a line that says where to go on.
"""

import importlib
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Final

from penstock import errors
from penstock_agent.job import Job, Surroundings
from penstock_agent.spool import Spool, path_of

_NEEDED: Final = (
    "penstock.flow", "penstock.running", "penstock.logs", "penstock.executors", "penstock.results", "penstock.storage",
    "penstock_agent.running",
)  # fmt: skip
_END_SECONDS: Final = 2.0
"""How long the process of a run that has ended waits for the threads and exit functions of the flow."""


def main(arguments: list[str]) -> int:
    """Read a job, run it, and return the exit code."""
    agent = os.getppid()
    if arguments[:1] == ["--warm"] and not _become_what_is_asked(arguments[1:]):
        return 0
    job = Job.model_validate_json(sys.stdin.buffer.read())
    _settle_output(show=job.show_logs)
    try:
        from penstock_agent import running

        code = running.run(job)
    except Exception as error:
        Spool(path_of(job.claim.run.id, job.claim.fence)).write({"fault": f"{type(error).__name__}: {error}"})
        raise
    if os.getppid() != agent and os.getsid(0) == os.getpid():
        _end_with_all_it_started(job, code)
    _end_soon(code)
    return code


def _become_what_is_asked(modules: list[str]) -> bool:
    """Wait for the surroundings of a run, with the modules imported; return whether there were any."""
    for module in (*_NEEDED, *modules):
        importlib.import_module(module)
    line = sys.stdin.buffer.readline()
    if not line:  # the agent ended, or had no use for a spare
        return False
    surroundings = Surroundings.model_validate_json(line)
    os.environ.update(surroundings.env)
    os.chdir(surroundings.folder)
    sys.path[0] = surroundings.folder
    return True


def _end_with_all_it_started(job: Job, code: int) -> None:
    """Do what the agent would do, which is gone; what the backend cannot be told is left for the next agent."""
    if code == 0:
        from penstock_agent.shipping import send_all

        with suppress(errors.BackendError):
            send_all(job)
    os.killpg(0, signal.SIGKILL)


def _end_soon(code: int) -> None:
    """Let the process end with *code* even if a thread of the flow never does."""
    timer = threading.Timer(_END_SECONDS, os._exit, [code])
    timer.daemon = True
    timer.start()


def _settle_output(*, show: bool) -> None:
    """Send what the flow prints where the logs go: to standard error if they are shown, else nowhere."""
    if show:
        os.dup2(2, 1)
        return
    logging.getLogger().addHandler(logging.NullHandler())  # so that penstock adds none that writes
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, for its descriptor
        os.dup2(nowhere.fileno(), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
