"""What a Dask cluster does beyond what every executor holds to."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import distributed
import pytest

from penstock import Flow, errors, signals, task, unmapped
from penstock.executors import Executor
from penstock.testing import calls
from penstock.testing.executors import ReferencesContract
from penstock_dask import DaskExecutor, LocalDaskExecutor
from penstock_dask.executors import check_versions
from penstock_dask.pool import DaskPool
from penstock_executors.remote import SMALL

LARGE = 4 * SMALL


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    given: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**given, resources={"GPU": 1}) as made:
        yield made


@pytest.fixture
def executor(cluster: distributed.LocalCluster) -> DaskExecutor:
    return DaskExecutor(cluster.scheduler_address)


@task
def fill(size: int) -> bytes:
    return bytes(size)


class TestReferences(ReferencesContract):
    @pytest.fixture
    def executor(self, cluster: distributed.LocalCluster) -> Executor:
        return DaskExecutor(cluster.scheduler_address)


def test_whoever_looks_into_a_large_value_gets_it(executor: DaskExecutor) -> None:
    @task
    def parts() -> list[str]:
        return ["a" * LARGE, "b"]

    def has_two(upstream_states: Any) -> bool:
        (state,) = upstream_states.values()
        return len(state.result) == 2

    def length(content: list[str]) -> int:
        return len(content)

    count = task(length)

    @task
    async def later(content: list[str]) -> int:
        return len(content)

    with Flow("looked into") as flow:
        made = parts()
        lengths = count.map(made)
        checked = task(trigger=has_two)(length)(made)
        awaited = later(made)
    state = flow.run(executor=executor)
    assert state.result[lengths].result == [LARGE, 1]
    assert state.result[checked].result == 2
    assert state.result[awaited].result == 2


def test_the_end_is_heard_behind_an_answer_that_is_told_again(cluster: distributed.LocalCluster) -> None:
    gathering, told = threading.Event(), threading.Event()
    gathered = DaskPool._gathered

    def slowly(pool: DaskPool, ended: Any) -> Any:
        gathering.set()
        told.wait(10)
        return gathered(pool, ended)

    client = distributed.Client(cluster.scheduler_address, set_as_default=False)
    with client, patch.object(DaskPool, "_gathered", slowly):
        pool = DaskPool(client)
        doubled = pool.submit(calls.double, 4)
        (sent,) = pool._flying
        assert gathering.wait(10)
        pool._done.put(sent)  # as after a worker was lost
        pool._done.put(None)
        told.set()
        pool._thread.join(10)
        assert not pool._thread.is_alive()
        assert doubled.result(0) == 8


def test_an_answer_that_does_not_come_is_asked_for_again() -> None:
    """The first request hangs, as while Dask's scheduler tries to connect to a worker that has just died."""
    given: dict[str, Any] = {"n_workers": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**given) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        gather, asked = cluster.scheduler.handlers["gather"], threading.Event()

        async def hang_at_first(**request: Any) -> Any:
            if not asked.is_set():
                asked.set()
                await asyncio.sleep(600)
            return await gather(**request)

        cluster.scheduler.handlers["gather"] = hang_at_first
        pool = DaskPool(client)
        pool._soon = 0.2
        assert pool.submit(calls.double, 4).result(60) == 8
        assert asked.is_set()
        pool.shutdown()


def test_a_tag_asks_for_a_resource_of_a_worker(executor: DaskExecutor) -> None:
    with Flow("resources") as flow:
        given = task(tags={"dask-resource:GPU=1"})(calls.double)(4)
        wrong = task(tags={"dask-resource:GPU=many"})(calls.double)(4)
    state = flow.run(executor=executor)
    assert state.result[given].result == 8
    assert "'dask-resource:GPU=many' asks for an amount that is no number" in state.result[wrong].message


def test_retries_loops_and_signals_are_as_everywhere(executor: DaskExecutor) -> None:
    @task
    def skip() -> None:
        raise signals.SKIP("not today")

    with Flow("signals") as flow:
        tried = task(max_retries=3, retry_delay=0)(calls.fail_until)(3)
        skipped = skip()
        failed = task(calls.fail)("no luck")
    state = flow.run(executor=executor)
    assert state.result[tried].result == 3
    assert state.result[skipped].type == "Skipped"
    assert isinstance(state.result[failed].result, ValueError)


def test_what_workers_log_is_logged_here(executor: DaskExecutor, caplog: pytest.LogCaptureFixture) -> None:
    @task(log_stdout=True)
    def speak(number: int) -> None:
        print(f"number {number}")  # noqa: T201 - what is tried

    with Flow("speaking") as flow:
        speak.map(list(range(3)))
    with caplog.at_level("INFO"):
        flow.run(executor=executor)
    said = [record.getMessage() for record in caplog.records]
    assert sum("number 1" in one for one in said) == 1


def test_an_address_at_which_nobody_answers_is_named() -> None:
    nowhere = DaskExecutor("tcp://127.0.0.1:9", client_kwargs={"timeout": 1})
    with Flow("nowhere") as flow:
        fill(1)
    with pytest.raises(errors.ExecutorError, match=r"No Dask scheduler answers at tcp://127.0.0.1:9: .*be reached"):
        flow.run(executor=nowhere)


@pytest.mark.parametrize("address", ["here", "tcp://here"])
def test_an_address_without_a_port_is_refused_at_once(address: str) -> None:
    with pytest.raises(
        errors.SettingsError, match=f'"dask": {address} names no port; expected an address such as {address}:8786'
    ):
        DaskExecutor(address)


def test_a_cluster_that_is_there_is_given_nothing_that_a_temporary_one_is() -> None:
    with pytest.raises(
        errors.SettingsError, match=r"adapt_kwargs, n_workers are for a temporary cluster, and tcp://a:1"
    ):
        DaskExecutor("tcp://a:1", n_workers=3, adapt_kwargs={"minimum": 1})


def test_a_cluster_of_another_class_adapts() -> None:
    given: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": ":0", "n_workers": 0}
    adapting = DaskExecutor(
        cluster_class=distributed.LocalCluster, cluster_kwargs=given, adapt_kwargs={"minimum": 1, "maximum": 2}
    )
    assert adapting.spec().options["cluster_class"] == "distributed.deploy.local.LocalCluster"
    with Flow("adapting") as flow:
        doubled = task(calls.double).map(list(range(10)))
    assert flow.run(executor=Executor.restore(adapting.spec())).result[doubled].result == list(range(0, 20, 2))


def test_an_unknown_cluster_class_is_named() -> None:
    with (
        pytest.raises(errors.ExecutorError, match=r"There is no cluster distributed\.MoonCluster"),
        DaskExecutor(cluster_class="distributed.MoonCluster").open(),
    ):
        pass


def test_a_report_of_the_run_is_written(cluster: distributed.LocalCluster, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    with Flow("reported") as flow:
        fill(1)
    flow.run(executor=DaskExecutor(cluster.scheduler_address, performance_report_path=report))
    assert "bokeh" in report.read_text(encoding="utf-8").lower()


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"python": "3.10.1.final.0"}, r"has Python 3\.10, this process has Python 3\.11; what one has pickled"),
        ({"penstock": "0.0.9"}, r"has penstock 0\.0\.9, this process has penstock 0\.1\.0"),
        (
            {"penstock_executors": None},
            r"tcp://10\.0\.0\.1 lacks penstock-executors; install penstock-executors 0\.1\.0",
        ),
    ],
)
def test_a_worker_that_could_not_read_what_is_sent_is_refused(there: dict[str, Any], words: str) -> None:
    here = {"python": "3.11.7.final.0", "penstock": "0.1.0", "penstock_executors": "0.1.0"}
    check_versions(here, {"tcp://10.0.0.1": here})
    with pytest.raises(errors.ExecutorError, match=words):
        check_versions(here, {"tcp://10.0.0.1": {**here, **there}})


@pytest.mark.parametrize("scheduler", ["threads", "processes", "synchronous"])
def test_flows_that_were_written_for_local_schedulers_run(scheduler: str) -> None:
    with Flow("local", executor=LocalDaskExecutor(scheduler, num_workers=2)) as flow:
        total = task(calls.total)(task(calls.add).map(list(range(10)), b=unmapped(1)))
    assert flow.run().result[total].result == 55
