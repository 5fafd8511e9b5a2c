"""Results that serve again in the next run."""

from datetime import timedelta

from classic import Flow, Parameter, cache_validators, note, run, scenario, signals, task, unmapped
from steps import RefusalError, gather, inc

HOUR = timedelta(hours=1)


def counting(name, **options):
    """Return a task that notes each time it runs."""

    @task(name=name, cache_for=HOUR, **options)
    def counted(x, y=0):
        note([name, x, y])
        return x + y

    return counted


def with_inputs(name, **options):
    """Return a flow with a cached task of two parameters."""
    with Flow(name) as flow:
        inc(counting(name, **options)(Parameter("x", default=1), Parameter("y", default=2)))
    return flow


@scenario
def for_a_time():
    flow = with_inputs("for a time")
    run(flow)
    run(flow)
    run(flow, x=5)


@scenario
def for_the_same_inputs():
    flow = with_inputs("all inputs", cache_validator=cache_validators.all_inputs)
    run(flow)
    run(flow)
    run(flow, x=5)
    run(flow)


@scenario
def for_the_same_parameters():
    flow = with_inputs("all parameters", cache_validator=cache_validators.all_parameters)
    run(flow)
    run(flow)
    run(flow, y=5)


@scenario
def for_some_inputs():
    flow = with_inputs("some inputs", cache_validator=cache_validators.partial_inputs_only(validate_on=["x"]))
    run(flow)
    run(flow, y=7)
    run(flow, x=7)


@scenario
def for_some_parameters():
    flow = with_inputs("some parameters", cache_validator=cache_validators.partial_parameters_only(validate_on=["y"]))
    run(flow)
    run(flow, x=7)
    run(flow, y=7)


@scenario
def never():
    flow = with_inputs("never", cache_validator=cache_validators.never_use)
    run(flow)
    run(flow)


@scenario
def for_no_time():
    @task(cache_for=timedelta(0), name="no time")
    def counted():
        note("ran")
        return 1

    with Flow("no time") as flow:
        counted()
    run(flow)
    run(flow)


@scenario
def under_a_shared_key():
    with Flow("writer") as writer:
        counting("writes", cache_key="shared key")(1)
    with Flow("reader") as reader:
        counting("reads", cache_key="shared key")(2)
    run(writer)
    run(reader)


@scenario
def by_name_in_another_flow():
    with Flow("one") as first:
        counting("same name")(1)
    with Flow("other") as second:
        counting("same name")(2)
    run(first)
    run(second)


@scenario
def of_children():
    with Flow("children") as flow:
        kept = counting("children", cache_validator=cache_validators.all_inputs)
        gather(kept.map(Parameter("items", default=[1, 2]), unmapped(0)))
    run(flow)
    run(flow)
    run(flow, items=[2, 3])


@scenario
def of_a_failure_and_a_skip():
    @task(cache_for=HOUR, name="never kept")
    def fails():
        note("fails")
        raise RefusalError("no")

    @task(cache_for=HOUR, name="skipped and not kept")
    def skips():
        note("skips")
        raise signals.SKIP("no", result=None)

    with Flow("not kept") as flow:
        fails()
    run(flow)
    run(flow)
    with Flow("not kept either") as flow:
        skips()
    run(flow)
    run(flow)


@scenario
def of_none_and_of_a_success_signal():
    @task(cache_for=HOUR, name="keeps none")
    def none():
        note("none")

    @task(cache_for=HOUR, name="keeps a signal")
    def success():
        note("success")
        raise signals.SUCCESS("enough", result=3)

    with Flow("none") as flow:
        none()
    run(flow)
    run(flow)
    with Flow("success") as flow:
        success()
    run(flow)
    run(flow)


@scenario
def without_a_validator():
    @task(cache_for=HOUR, name="without inputs")
    def counted():
        note("ran")
        return 1

    with Flow("without inputs") as flow:
        inc(counted())
    run(flow)
    run(flow)
