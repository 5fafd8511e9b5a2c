"""Results at places of their own, which stand for a run."""

from pathlib import Path

from classic import Flow, Parameter, note, results, run, scenario, signals, task
from steps import RefusalError, gather, inc


def kept(**options):
    """Return a task that notes each time it runs and is kept in this folder."""

    @task(result=results.LocalResult(dir="."), **options)
    def keep(x):
        note(["ran", x])
        return x * 10

    return keep


def files():
    """Note the files that are there."""
    note(sorted(path.name for path in Path().glob("*") if path.is_file()))


@scenario
def a_target_is_written_and_then_found():
    with Flow("targets") as flow:
        inc(kept(target="kept.pickle")(1))
    run(flow)
    files()
    run(flow)


@scenario
def a_target_with_inputs_in_its_name():
    with Flow("targets") as flow:
        inc(kept(target="{task_name}-{x}-{p}.pickle")(Parameter("p", default=1)))
    run(flow)
    run(flow)
    run(flow, p=2)
    files()


@scenario
def a_target_that_is_a_function():
    with Flow("targets") as flow:
        inc(kept(target=lambda **known: f"by-function-{known['x']}.pickle")(3))
    run(flow)
    run(flow)
    files()


@scenario
def a_target_for_each_child():
    with Flow("targets") as flow:
        gather(kept(target="child-{map_index}.pickle").map([1, 2]))
    run(flow)
    run(flow)
    files()


@scenario
def a_target_of_none_and_of_a_failure():
    @task(result=results.LocalResult(dir="."), target="none.pickle")
    def none():
        note("none")

    @task(result=results.LocalResult(dir="."), target="failed.pickle")
    def fails():
        note("fails")
        raise RefusalError("no")

    with Flow("none") as flow:
        none()
        fails()
    run(flow)
    files()


@scenario
def a_target_without_checkpoints():
    with Flow("targets") as flow:
        inc(kept(target="kept.pickle", checkpoint=False)(1))
    run(flow)
    files()
    run(flow)


@scenario
def a_target_that_is_there_without_checkpoints():
    with Flow("writer") as writer:
        kept(target="there.pickle", name="writer")(1)
    with Flow("reader") as reader:
        inc(kept(target="there.pickle", checkpoint=False, name="reader")(2))
    run(writer)
    run(reader)


@scenario
def a_target_that_another_task_wrote():
    with Flow("targets") as flow:
        first = kept(target="shared.pickle", name="first")(1)
        kept(target="shared.pickle", name="second")(2, upstream_tasks=[first])
    run(flow)


@scenario
def a_target_and_a_chosen_success():
    @task(result=results.LocalResult(dir="."), target="signal.pickle")
    def success():
        note("ran")
        raise signals.SUCCESS("enough", result=3)

    with Flow("signals") as flow:
        inc(success())
    run(flow)
    files()
    run(flow)


@scenario
def a_location_is_no_target():
    @task(result=results.LocalResult(dir=".", location="located-{x}.pickle"))
    def located(x):
        note("ran")
        return x

    with Flow("locations") as flow:
        inc(located(1))
    run(flow)
    run(flow)
    files()
