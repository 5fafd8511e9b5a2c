"""Runs that begin with states of their own: what ran before is not run again."""

from classic import Flow, note, run, scenario, state, task, triggers
from steps import add, end, fail, gather, inc, numbers, one, say


@task
def counted(x):
    note("run")
    return x + 1


@scenario
def a_success_is_not_run_again():
    with Flow("given") as flow:
        first = counted(1)
        inc(first)
    run(flow, task_states={first: state.Success("before", result=10)})


@scenario
def a_failure_is_not_run_again():
    with Flow("given") as flow:
        first = counted(1)
        inc(first)
        end(upstream_tasks=[first], task_args={"trigger": triggers.all_failed})
    run(flow, task_states={first: state.Failed("before", result=10)})


@scenario
def a_skip_is_passed_on():
    with Flow("given") as flow:
        first = counted(1)
        inc(first)
    run(flow, task_states={first: state.Skipped("before")})


@scenario
def a_pending_task_is_run():
    with Flow("given") as flow:
        first = counted(1)
    run(flow, task_states={first: state.Pending("not yet")})


@scenario
def a_scheduled_task_is_run():
    with Flow("given") as flow:
        first = counted(1)
    run(flow, task_states={first: state.Scheduled("now")})


@scenario
def a_retrying_task_goes_on_counting():
    @task
    def attempts():
        from classic import context

        return context.get("task_run_count")

    with Flow("given") as flow:
        first = attempts()
    run(flow, task_states={first: state.Retrying("again", run_count=4)})


@scenario
def a_parameter_has_a_state():
    from classic import Parameter

    with Flow("given") as flow:
        x = Parameter("x", default=1)
        inc(x)
    run(flow, task_states={x: state.Success("before", result=10)})


@scenario
def everything_has_a_state():
    with Flow("given") as flow:
        first = counted(1)
        second = inc(first)
    run(flow, task_states={first: state.Success(result=1), second: state.Failed("before")})


@scenario
def a_finished_input_of_a_map():
    with Flow("given") as flow:
        items = numbers()
        gather(inc.map(items))
    run(flow, task_states={items: state.Success(result=[7, 8])})


@scenario
def a_mapped_state_with_some_children_ended():
    with Flow("given") as flow:
        mapped = counted.map(numbers())
        gather(mapped)
    children = [state.Success(result=20), state.Pending(), state.Failed("before", result=30)]
    run(flow, task_states={mapped: state.Mapped(map_states=children)})


@scenario
def the_states_of_the_run_before():
    with Flow("given") as flow:
        add(counted(1), say(2))
        fail()
    before = run(flow)
    again = {one_of: how for one_of, how in before.result.items() if how.is_successful()}
    run(flow, task_states=again)


@scenario
def a_running_state_is_given():
    with Flow("given") as flow:
        first = one()
        inc(first)
    run(flow, task_states={first: state.Success(result=3)}, context={"extra": 1})
