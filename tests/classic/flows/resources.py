"""Resources that are set up before a block of tasks and cleaned up after it."""

from classic import (
    Flow,
    Parameter,
    case,
    in_any_order,
    note,
    refused,
    resource_manager,
    run,
    scenario,
    signals,
    task,
    triggers,
)
from steps import RefusalError, add, end, fail, gather, inc, numbers, one, say, skip


@resource_manager
class Desk:
    """A resource that tells what is done with it."""

    def __init__(self, name, broken=""):
        note([name, "init"])
        self.name, self.broken = name, broken
        if broken == "init":
            raise RefusalError("init")

    def setup(self):
        note([self.name, "setup"])
        if self.broken == "setup":
            raise RefusalError("setup")
        if self.broken == "skip":
            raise signals.SKIP("no setup", result=None)
        return f"resource of {self.name}"

    def cleanup(self, resource):
        note([self.name, "cleanup", resource])
        if self.broken == "cleanup":
            raise RefusalError("cleanup")


@task
def use(resource, x=0):
    note(["use", resource])
    return f"used {resource}"


@scenario
def a_block_that_works():
    with Flow("resources") as flow, Desk("d") as desk:
        use(desk)
    return flow


@scenario
def init_fails():
    with Flow("resources") as flow, Desk("d", broken="init") as desk:
        use(desk)
    return flow


@scenario
def setup_fails():
    with Flow("resources") as flow, Desk("d", broken="setup") as desk:
        use(desk)
    return flow


@scenario
def setup_is_skipped():
    with Flow("resources") as flow, Desk("d", broken="skip") as desk:
        use(desk)
    return flow


@scenario
def the_body_fails():
    with Flow("resources") as flow, Desk("d") as desk:
        inc(fail(upstream_tasks=[use(desk)]))
    return flow


@scenario
def cleanup_fails():
    with Flow("resources") as flow, Desk("d", broken="cleanup") as desk:
        use(desk)
    return flow


@scenario
def the_body_is_skipped():
    in_any_order()
    with Flow("resources") as flow, Desk("d"):
        skip()
    return flow


@scenario
def a_body_without_the_resource():
    in_any_order()
    with Flow("resources") as flow, Desk("d"):
        inc(one())
    return flow


@scenario
def what_follows_the_block():
    in_any_order()
    with Flow("resources") as flow:
        with Desk("d") as desk:
            used = use(desk)
        say(used)
    return flow


@scenario
def a_block_inside_a_block():
    in_any_order()
    with Flow("resources") as flow, Desk("outer") as outer:
        first = use(outer)
        with Desk("inner") as inner:
            use(inner, upstream_tasks=[first])
    return flow


@scenario
def two_blocks_one_after_another():
    in_any_order()
    with Flow("resources") as flow:
        with Desk("first") as first:
            used = use(first)
        with Desk("second") as second:
            use(second, upstream_tasks=[used])
    return flow


@scenario
def a_map_in_a_block():
    with Flow("resources") as flow, Desk("d"):
        gather(inc.map(numbers()))
    return flow


@scenario
def a_case_in_a_block():
    in_any_order()
    with Flow("resources") as flow, Desk("d") as desk, case(Parameter("on"), True):
        use(desk)
    run(flow, on=True)
    run(flow, on=False)


@scenario
def a_block_in_a_case():
    in_any_order()
    with Flow("resources") as flow, case(say(Parameter("on")), True), Desk("d") as desk:
        use(desk)
    run(flow, on=True)
    run(flow, on=False)


@scenario
def without_setup():
    @resource_manager
    class Bare:
        def cleanup(self, resource):
            note(["cleanup", resource])

    with Flow("resources") as flow, Bare() as bare:
        note(bare)
        end()
    return flow


@scenario
def arguments_from_tasks_and_options():
    @resource_manager(name="table", setup_task_kwargs={"name": "lay"}, cleanup_task_kwargs={"name": "clear"})
    class Table:
        def __init__(self, legs):
            self.legs = legs

        def setup(self):
            return self.legs

        def cleanup(self, resource):
            note(["cleanup", resource])

    with Flow("resources") as flow, Table(add(1, 2)) as legs:
        say(legs)
    return flow


@scenario
def a_failing_end_and_reference_tasks():
    with Flow("resources") as flow:
        with Desk("d", broken="cleanup"):
            end(upstream_tasks=[fail()], task_args={"trigger": triggers.all_finished})
        note(sorted(one_of.name for one_of in flow.reference_tasks()))
    return flow


@scenario
def outside_of_a_flow():
    refused(lambda: Desk("d"))


@scenario
def in_two_flows():
    with Flow("one"):
        with Flow("two"):
            desk = Desk("d")
        with desk:
            refused(lambda: end())
