"""The executor of this plugin: a Ray cluster, one on this machine for the run or one that is there."""

import os
import socket
import sys
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from penstock import errors
from penstock.executors import Executor

_STARTS: Final = 3
"""Times a cluster is started: its own parts may miss one another where another starts at the same moment."""
_ENDING_SECONDS: Final = 5
_CONNECT_SECONDS: Final = 10


class RayExecutor(Executor):
    """Run tasks on Ray: on this machine, started for the run, or on a cluster that is there."""

    type: ClassVar[str] = "ray"
    positional: ClassVar[tuple[str, ...]] = ("address",)
    remote: ClassVar[bool] = True

    address: str | None = Field(
        default=None, description="a cluster that is there, `auto` for the one of this machine [one for the run]"
    )
    num_cpus: int | None = Field(default=None, ge=1, description="calls at once on one for the run [processors]")
    init_kwargs: dict[str, Any] = Field(default={}, description="what `ray.init` is given besides")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, address: str | None = None, **options: Any) -> None: ...

    @contextmanager
    def open(self) -> Iterator[futures.Executor]:
        """Yield the pool; leaving cancels what has not ended, and ends what was started for the run.

        Where the process is connected to Ray already, that is used and left as it is. Raises ExecutorError if no
        cluster answers, or its workers have another version of penstock.
        """
        import ray

        from penstock_ray.pool import RayPool

        mine = not ray.is_initialized()
        if mine:
            self._connect()
        try:
            if self.address is not None:
                self._check_versions()
            pool = RayPool(sys.path if self.address is None else None)
            try:
                yield pool
            finally:
                pool.shutdown(cancel_futures=True)
        finally:
            if mine:
                _end()

    def _connect(self) -> None:
        import ray

        given: dict[str, Any] = {"logging_level": "ERROR", "ignore_reinit_error": True}
        if self.address is None:
            given |= {"include_dashboard": False, "num_cpus": self.num_cpus}
        if self.address is not None:
            _check_answers(self.address)
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what it is to become, and warns of
        for left in reversed(range(1 if self.address else _STARTS)):
            try:
                ray.init(self.address, **{**given, **self.init_kwargs})
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                ray.shutdown()
                if left and isinstance(error, RuntimeError):
                    continue
                where = f"No Ray cluster answers at {self.address}" if self.address else "Ray cannot be started here"
                raise errors.ExecutorError(f"{where}: {str(error).strip().splitlines()[-1]}") from error
            return

    def _check_versions(self) -> None:
        import ray

        from penstock_ray.pool import versions

        try:
            there = ray.get(ray.remote(versions).remote())
        except (ray.exceptions.RayError, ImportError) as error:
            last = str(error).strip().splitlines()[-1]
            message = f"The workers of the Ray cluster at {self.address} lack what is needed: {last}"
            raise errors.ExecutorError(f"{message}. Install penstock-ray there, as it is here") from error
        check_versions(versions(), there, str(self.address))


def _check_answers(address: str) -> None:
    """Raise ExecutorError if nobody takes a connection at *address*: Ray itself tries for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not (colon and port.isdigit()):
        return  # a name that Ray knows, such as auto
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        hint = "Is it running, and can it be reached from here?"
        raise errors.ExecutorError(f"No Ray cluster answers at {address}: {error}. {hint}") from error


def _end() -> None:
    """End the cluster that was started here, and wait for its workers: by itself Ray leaves them to end alone."""
    import psutil
    import ray

    mine = [child for child in psutil.Process().children() if child.name() == "raylet"]
    workers = [worker for raylet in mine for worker in raylet.children(recursive=True)]
    ray.shutdown()
    for worker in psutil.wait_procs(workers, _ENDING_SECONDS)[1]:
        with suppress(psutil.NoSuchProcess):
            worker.kill()


def check_versions(here: dict[str, str], there: dict[str, str], address: str) -> None:
    """Raise ExecutorError where workers have another version of something than this process."""
    for name, version in here.items():
        if there.get(name) != version:
            differ = f"The workers of the Ray cluster at {address} have {name} {there.get(name)}"
            message = f"{differ}, this process has {name} {version}; what one has pickled the other cannot read"
            raise errors.ExecutorError(message)
