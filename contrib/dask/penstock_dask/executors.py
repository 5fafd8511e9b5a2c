"""The executors of this plugin: a Dask cluster, and what Dask calls its local schedulers."""

import importlib
import logging
import re
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from multiprocessing import spawn
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self
from unittest.mock import patch

from pydantic import BeforeValidator, Field, field_validator, model_validator

from penstock import errors
from penstock.executors import Executor, ProcessExecutor, ThreadExecutor
from penstock_executors.executors import processors

if TYPE_CHECKING:
    import distributed

_SATURATION: Final = "distributed.scheduler.worker-saturation"
_CONNECT: Final = "distributed.comm.timeouts.connect"


def _dotted(value: object) -> object:
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else value


class DaskExecutor(Executor):
    """Run tasks on a Dask cluster: a temporary one, on this machine or of any class, or one that is there already."""

    type: ClassVar[str] = "dask"
    positional: ClassVar[tuple[str, ...]] = ("address",)
    remote: ClassVar[bool] = True

    address: str | None = Field(default=None, description="the scheduler of a cluster that is there [a temporary one]")
    n_workers: int | None = Field(default=None, ge=1, description="workers of a temporary cluster [processors]")
    cluster_class: Annotated[str | None, BeforeValidator(_dotted)] = Field(
        default=None, description="class of the temporary cluster, as `package.Class` [distributed.LocalCluster]"
    )
    cluster_kwargs: dict[str, Any] = Field(default={}, description="what its constructor is given")
    adapt_kwargs: dict[str, Any] = Field(default={}, description="what its `adapt` is given: minimum, maximum")
    client_kwargs: dict[str, Any] = Field(default={}, description="what the client is given: timeout, security")
    performance_report_path: Path | None = Field(default=None, description="file for Dask's report of the run, in HTML")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, address: str | None = None, **options: Any) -> None: ...

    @field_validator("address")
    @classmethod
    def _refuse_without_port(cls, value: str | None) -> str | None:
        """Refuse an address that Dask would try in vain, and end with a timeout that does not name it."""
        if value is not None and not value.startswith("inproc://") and not re.search(r":\d", value):
            raise ValueError(f"{value} names no port; expected an address such as {value}:8786")
        return value

    @model_validator(mode="after")
    def _refuse_two_clusters(self) -> Self:
        """Refuse what is for a temporary cluster beside the address of one that is there."""
        own = ("n_workers", "cluster_class", "cluster_kwargs", "adapt_kwargs")
        given = [name for name in own if getattr(self, name)]
        if self.address is not None and given:
            message = f"{errors.listing(given)} are for a temporary cluster, and {self.address} is one that is there"
            raise ValueError(f"{message}; leave out the one or the other")
        return self

    @contextmanager
    def open(self) -> Iterator[futures.Executor]:
        """Yield the pool; leaving cancels what has not ended, and ends a temporary cluster.

        Raises ExecutorError if no scheduler answers, or one of its workers has another version of Python or penstock.
        """
        import distributed

        from penstock_dask.pool import DaskPool

        with ExitStack() as stack:
            where = self.address or stack.enter_context(self._cluster())
            client = stack.enter_context(self._client(where))
            if self.address is not None:
                known = client.get_versions(packages=["penstock", "penstock_executors"])
                workers = {address: one["packages"] for address, one in known["workers"].items()}
                check_versions(known["client"]["packages"], workers)
            if self.performance_report_path is not None:
                stack.enter_context(client.as_current())
                stack.enter_context(distributed.performance_report(filename=str(self.performance_report_path)))
            pool = DaskPool(client)
            stack.callback(pool.shutdown, cancel_futures=True)
            yield pool

    @contextmanager
    def _cluster(self) -> Iterator[Any]:
        import dask

        module, _, name = (self.cluster_class or "distributed.LocalCluster").rpartition(".")
        failure = f"There is no cluster {self.cluster_class}"
        with errors.told_as(errors.ExecutorError, failure, ImportError, AttributeError, ValueError):
            made = getattr(importlib.import_module(module), name)
        given = dict(self.cluster_kwargs)
        configured: dict[str, Any] = {_SATURATION: 1.0}  # calls are given one by one: only these are blamed if one dies
        if self.cluster_class is None:
            configured[_CONNECT] = "5s"  # on one machine; what asks a worker that has just died waits as long
            given = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.CRITICAL, **given}
            given.setdefault("n_workers", self.n_workers or processors())
        elif self.n_workers is not None:
            given["n_workers"] = self.n_workers
        with dask.config.set(configured), _without_main(), made(**given) as cluster:
            if self.adapt_kwargs:
                cluster.adapt(**self.adapt_kwargs)
            yield cluster

    @contextmanager
    def _client(self, where: Any) -> "Iterator[distributed.Client]":
        import distributed

        given = {"set_as_default": False, **self.client_kwargs}
        if self.cluster_class is None:
            given.setdefault("timeout", 10 if self.address else 30)
        try:
            client = distributed.Client(where, **given)
        except (OSError, TimeoutError, ValueError) as error:
            hint = "Is it running, and can it be reached from here?"
            raise errors.ExecutorError(f"No Dask scheduler answers at {where}: {error}. {hint}") from error
        with client:
            yield client


@contextmanager
def _without_main() -> Iterator[None]:
    """Let the processes of Dask's workers start without importing the script that was started here.

    multiprocessing would have each import it, and so start another cluster from a script without a guard.
    """
    prepared = spawn.get_preparation_data

    def prepare(name: str) -> dict[str, Any]:
        data = prepared(name)
        if name.startswith("Dask Worker"):
            data = {key: value for key, value in data.items() if not key.startswith("init_main_from")}
        return data

    with patch.object(spawn, "get_preparation_data", prepare):
        yield


def check_versions(here: Mapping[str, Any], workers: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ExecutorError for a worker that cannot read pickles of a process with the versions *here*."""
    for address, there in workers.items():
        worker = f"The Dask worker at {address}"
        for what in ("penstock", "penstock_executors"):
            if there.get(what) is None:
                name = what.replace("_", "-")
                raise errors.ExecutorError(f"{worker} lacks {name}; install {name} {here[what]} there")
        ours, theirs = (".".join(one["python"].split(".")[:2]) for one in (here, there))
        for what, mine, other in (("Python", ours, theirs), ("penstock", here["penstock"], there["penstock"])):
            if mine != other:
                differ = f"{worker} has {what} {other}, this process has {what} {mine}"
                raise errors.ExecutorError(f"{differ}; what one has pickled the other cannot read")


class LocalDaskExecutor(Executor):
    """Run tasks on this machine, as flows that were written for Dask's local schedulers ask for it.

    `threads` and `processes` are what the executors of these names are; `synchronous` runs tasks one by one.
    """

    type: ClassVar[str] = "local-dask"
    positional: ClassVar[tuple[str, ...]] = ("scheduler",)

    scheduler: Literal["threads", "processes", "synchronous", "sync", "single-threaded", "multiprocessing"] = Field(
        default="threads", description="what runs the tasks"
    )
    num_workers: int | None = Field(default=None, ge=1, description="how many threads or processes [processors]")

    if TYPE_CHECKING:  # as above

        def __init__(self, scheduler: str = "threads", num_workers: int | None = None) -> None: ...

    @property
    def remote(self) -> bool:  # type: ignore[override]  # of each object here
        """Whether calls cross a process boundary."""
        return self.scheduler in {"processes", "multiprocessing"}

    def open(self) -> "AbstractContextManager[futures.Executor | None]":
        """Return what opens the threads or processes."""
        if self.scheduler in {"threads", "processes", "multiprocessing"}:
            chosen: type[Any] = ProcessExecutor if self.remote else ThreadExecutor
            opened: AbstractContextManager[futures.Executor] = chosen(max_workers=self.num_workers).open()
            return opened
        return nullcontext()
