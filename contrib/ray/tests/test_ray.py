"""What Ray does beyond what every executor holds to."""

import re
from collections.abc import Iterator

import pytest
import ray

from penstock import Flow, errors, task
from penstock.executors import Executor
from penstock.testing import calls
from penstock.testing.executors import ReferencesContract
from penstock_ray import RayExecutor
from penstock_ray.executors import _check_answers, check_versions


@pytest.fixture(scope="module", autouse=True)
def begun() -> Iterator[str]:
    with RayExecutor(num_cpus=2, init_kwargs={"resources": {"disk": 1}}).open():
        yield ray.get_runtime_context().gcs_address


class TestReferences(ReferencesContract):
    large = 200 << 20  # which both ends of a small object store can hold

    @pytest.fixture
    def executor(self, begun: str) -> Executor:
        return RayExecutor(begun)


def test_a_tag_asks_for_a_resource() -> None:
    with Flow("resources") as flow:
        given = task(tags={"ray-resource:disk=1"})(calls.double)(4)
        wrong = task(tags={"ray-resource:disk=many"})(calls.double)(4)
    state = flow.run(executor=RayExecutor())
    assert state.result[given].result == 8
    assert "'ray-resource:disk=many' asks for an amount that is no number" in state.result[wrong].message


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://[::1]:9", "127.0.0.1:99999"])
def test_an_address_at_which_nobody_answers_is_named(address: str) -> None:
    with pytest.raises(errors.ExecutorError, match=f"No Ray cluster answers at {re.escape(address)}: .*reached"):
        _check_answers(address)


@pytest.mark.parametrize("name", ["Python", "penstock"])
def test_workers_that_could_not_read_what_is_sent_are_refused(name: str) -> None:
    here = {"Python": "3.11", "penstock": "0.1.0"}
    check_versions(here, here, "10.0.0.1:6379")
    with pytest.raises(errors.ExecutorError, match=rf"at 10\.0\.0\.1:6379 have {name} 0, this process has {name} "):
        check_versions(here, {**here, name: "0"}, "10.0.0.1:6379")
