"""Resource managers: set up before a part of a flow, cleaned up after it."""

import pickle
from typing import Any

import cloudpickle
import pytest

from penstock import Flow, Task, case, errors, resource_manager, signals, task
from penstock.edges import Edge
from penstock.resources import ResourceBlock, ResourceManager

LOG: list[Any] = []


@pytest.fixture(autouse=True)
def _log() -> None:
    LOG.clear()


class Database:
    def __init__(self, size: int = 0) -> None:
        LOG.append(f"init {size}")
        if size < 0:
            raise ValueError("too small")
        self.size = size

    def setup(self) -> int:
        LOG.append(f"setup {self.size}")
        if self.size == 13:
            raise ValueError("unlucky")
        return self.size * 100

    def cleanup(self, resource: int) -> None:
        LOG.append(f"cleanup {resource}")


class Plain:
    def cleanup(self, resource: None) -> None:
        LOG.append(f"cleanup {resource}")


database = resource_manager(Database)
plain = resource_manager(Plain)


@task
def give(value: Any = None) -> Any:
    LOG.append(f"give {value}")
    return value


@task
def fail(value: Any) -> None:
    raise ValueError(value)


@task
def skip() -> None:
    raise signals.SKIP("not today")


def ends(flow: Flow, block: ResourceBlock) -> tuple[str, str, str]:
    """Run *flow* and return how it ended, and how set-up and clean-up did."""
    state = flow.run()
    assert block.setup_task is not None
    return state.type, state.result[block.setup_task].type, state.result[block.cleanup_task].type


def names(tasks: set[Task]) -> list[str]:
    return sorted(one.name for one in tasks)


def test_a_resource_is_there_for_the_tasks_of_its_block() -> None:
    with Flow("resource") as flow:
        size = give(3)
        block = database(size)
        with block as resource:
            used = give(resource)
            unrelated = give("unrelated")
            last = give(unrelated)
    assert flow.run().is_successful()
    assert LOG[:4] == ["give 3", "init 3", "setup 3", "give 300"]
    assert LOG[-1] == "cleanup 300"
    assert resource is block.setup_task is not None
    assert [one.name for one in (block.init_task, block.cleanup_task)] == ["Database", "Database.cleanup"]
    assert flow.upstream_tasks(unrelated) == {resource}
    assert flow.edges_to(block.cleanup_task) == {
        Edge(block.init_task, block.cleanup_task, "mgr"),
        Edge(block.setup_task, block.cleanup_task, "resource"),
        Edge(used, block.cleanup_task),
        Edge(last, block.cleanup_task),
    }
    assert flow.compile().order == range(len(flow.tasks))


def test_a_manager_without_setup_gives_nothing_and_is_cleaned_up() -> None:
    with Flow("plain") as flow:
        block = plain()
        with block as resource:
            used = give(1)
    assert resource is None
    assert block.setup_task is None
    assert flow.upstream_tasks(used) == set()
    assert flow.upstream_tasks(block.cleanup_task) == {block.init_task, used}
    assert flow.run().is_successful()
    assert LOG[-1] == "cleanup None"


def test_the_clean_up_runs_whatever_becomes_of_the_tasks_inside() -> None:
    with Flow("failing") as flow, (block := database(1)) as resource:
        fail(resource)
        skip()
    assert ends(flow, block) == ("Failed", "Success", "Success")
    assert LOG[-1] == "cleanup 100"


@pytest.mark.parametrize(
    ("size", "ended"),
    [(-1, ("Failed", "TriggerFailed", "Skipped")), (13, ("Failed", "Failed", "Skipped"))],
    ids=["init", "setup"],
)
def test_what_could_not_be_set_up_is_not_cleaned_up(size: int, ended: tuple[str, str, str]) -> None:
    with Flow("broken") as flow, (block := database(size)) as resource:
        give(resource)
    assert ends(flow, block) == ended
    assert not any(line.startswith("cleanup") for line in LOG)


def test_what_was_skipped_is_not_cleaned_up() -> None:
    with Flow("skipped") as flow, (block := database(skip())) as resource:
        give(resource)
    assert ends(flow, block) == ("Success", "Skipped", "Skipped")
    assert LOG == []


def test_a_failing_clean_up_does_not_fail_the_flow() -> None:
    class Stuck:
        def cleanup(self, resource: None) -> None:
            raise ValueError("stuck")

    with Flow("stuck") as flow, (block := resource_manager(Stuck)()):
        give(1)
    state = flow.run()
    assert state.is_successful()
    assert state.result[block.cleanup_task].is_failed()


def test_only_the_tasks_inside_decide_how_the_run_ends() -> None:
    with Flow("reference") as flow:
        with database(1) as resource:
            last = give(give(resource))
        after = give(last)
        with (unused := database(2)):
            pass
    assert flow.reference_tasks() == {after, unused.setup_task}
    flow.set_reference_tasks([last])
    assert flow.reference_tasks() == {last}


def test_resources_may_be_nested_and_depend_on_one_another() -> None:
    with Flow("nested") as flow, (outer := database(1)) as one:
        early = give(one)
        with (inner := database(give(2))) as two:
            used = give([early, two])
        late = give(early)
    assert flow.upstream_tasks(inner.cleanup_task) == {inner.init_task, two, used}
    assert names(flow.upstream_tasks(outer.cleanup_task)) == ["Database", "Database.cleanup", "Database.setup", "give"]
    assert inner.cleanup_task in flow.upstream_tasks(outer.cleanup_task)
    assert late in flow.upstream_tasks(outer.cleanup_task)
    assert flow.run().is_successful()
    assert [line for line in LOG if "cleanup" in line] == ["cleanup 200", "cleanup 100"]


def test_a_case_may_stand_inside_a_resource() -> None:
    with Flow("inside") as flow, (block := database(1)) as resource, case(give(1), 2):
        never = give(resource)
    assert never in flow.upstream_tasks(block.cleanup_task)
    assert ends(flow, block) == ("Success", "Success", "Success")
    assert LOG[-1] == "cleanup 100"


def test_a_resource_may_stand_inside_a_case() -> None:
    with Flow("inside") as flow, case(give(1), 2), (block := database(1)) as resource:
        give(resource)
    assert ends(flow, block) == ("Success", "Skipped", "Skipped")
    assert LOG == ["give 1"]


def test_options_go_to_each_of_the_three_tasks() -> None:
    @resource_manager(
        name="store",
        init_task_kwargs={"tags": {"i"}},
        setup_task_kwargs={"name": "open"},
        cleanup_task_kwargs={"max_retries": 2, "retry_delay": 0},
    )
    class Store:
        def setup(self) -> int:
            return 1

        def cleanup(self, resource: int) -> None: ...

    manager: ResourceManager = Store  # type: ignore[assignment]  # mypy overlooks what decorates a class
    with Flow("options"), (block := manager()):
        give(1)
    assert block.setup_task is not None
    assert (block.init_task.name, block.init_task.tags) == ("store", {"i"})
    assert (block.setup_task.name, block.setup_task.checkpoint) == ("open", False)
    assert (block.cleanup_task.name, block.cleanup_task.max_retries) == ("store.cleanup", 2)
    assert repr(manager) == "<ResourceManager: store>"


def test_the_arguments_of_a_resource_are_checked() -> None:
    with pytest.raises(TypeError, match=r"has no input 'siz'. Did you mean size"), Flow("arguments"):
        database(siz=1)


def test_a_class_that_cleans_nothing_up_is_refused() -> None:
    class Forever:
        def setup(self) -> int:
            return 1

    with pytest.raises(errors.TaskError, match=r"Forever has no method cleanup\(self, resource\); define one"):
        resource_manager(Forever)


def test_a_resource_needs_a_flow_of_which_all_its_tasks_are() -> None:
    with pytest.raises(errors.FlowError, match="outside of a flow"):
        database(1)
    flow, other = Flow("one"), Flow("two")
    with database(1, flow=flow) as resource:
        used = give(resource)
        with pytest.raises(errors.FlowError, match="resource Database> belongs to"):
            give(1, flow=other)
    with other, pytest.raises(errors.FlowError, match="belongs to"), case(1, 1), database(1, flow=flow):
        pass
    assert used in flow


def test_the_tasks_of_a_resource_run_again_on_restart() -> None:
    with Flow("restart") as flow, database(1) as resource:
        used = give(resource)
    assert [one for one in flow.sorted_tasks() if not one.reruns_on_restart] == [used]


def test_a_flow_with_a_resource_can_be_pickled_and_run_by_workers() -> None:
    with Flow("pickled") as flow, database(1) as resource:
        used = give(resource)
    assert flow.run(executor={"type": "threads"}).result[used].result == 100
    revived = pickle.loads(cloudpickle.dumps(flow))
    assert revived.run().is_successful()


def test_a_block_that_is_not_entered_is_not_cleaned_up_and_warned_of() -> None:
    flow = Flow("made")

    def build() -> ResourceBlock:
        with flow:
            block = database(1)
            give(block.setup_task)
        return block

    with pytest.warns(UserWarning, match=r"not added to it: \[<Task: Database.cleanup>\]"):
        block = build()
    assert flow.run().is_successful()
    assert block.cleanup_task not in flow
    assert not any(line.startswith("cleanup") for line in LOG)
