"""Which tasks decide how a run ends."""

from classic import Flow, context, note, run, scenario, signals, state, task, triggers
from steps import end, fail, gather, inc, numbers, one, say, skip, twelfth, with_zero


@scenario
def the_terminal_tasks():
    with Flow("ends") as flow:
        end(upstream_tasks=[fail()], task_args={"trigger": triggers.all_finished})
    return flow


@scenario
def a_failure_in_the_middle():
    with Flow("ends") as flow:
        broken = fail()
        end(upstream_tasks=[broken], task_args={"trigger": triggers.all_finished})
    flow.set_reference_tasks([broken])
    return flow


@scenario
def a_success_beside_a_failing_end():
    with Flow("ends") as flow:
        good = one()
        fail(upstream_tasks=[good])
    flow.set_reference_tasks([good])
    return flow


@scenario
def several_of_them():
    with Flow("ends") as flow:
        tasks = [one(), skip(), fail()]
        end(upstream_tasks=tasks, task_args={"trigger": triggers.all_finished, "skip_on_upstream_skip": False})
    for chosen in ([tasks[0]], tasks[:2], tasks[1:], tasks):
        flow.set_reference_tasks(chosen)
        run(flow)
    flow.set_reference_tasks([])
    run(flow)


@scenario
def a_cancelled_one():
    @task
    def cancelled():
        raise signals.ENDRUN(state.Cancelled("stopped"))

    with Flow("ends") as flow:
        cancelled()
        one()
    return flow


@scenario
def a_mapped_one_with_a_failed_child():
    with Flow("ends") as flow:
        shares = twelfth.map(with_zero())
        gather(shares, task_args={"trigger": triggers.all_finished})
    run(flow)
    flow.set_reference_tasks([shares])
    run(flow)


@scenario
def a_mapped_one_in_the_middle():
    with Flow("ends") as flow:
        shares = twelfth.map(with_zero())
        end(upstream_tasks=[say.map(shares)], task_args={"trigger": triggers.all_finished})
    flow.set_reference_tasks([shares])
    return flow


@scenario
def a_mapped_one_without_children():
    with Flow("ends") as flow:
        inc.map(say([]))
    return flow


@scenario
def one_that_is_not_in_the_flow():
    with Flow("ends") as flow:
        one()
    with Flow("other"):
        stranger = one()
    flow.set_reference_tasks([stranger])
    return flow


@scenario
def a_flow_without_tasks():
    return Flow("empty")


@scenario
def a_flow_that_is_run_twice():
    seen = []

    @task
    def count():
        seen.append(1)
        return len(seen)

    with Flow("twice") as flow:
        inc(count())
    run(flow)
    run(flow)


@scenario
def what_the_context_holds():
    @task
    def look():
        for name in (
            "flow_name",
            "task_name",
            "task_full_name",
            "task_run_count",
            "map_index",
            "today",
            "no_such_name",
        ):
            value = context.get(name)
            note([name, type(value).__name__ if name == "today" else value])
        return sorted(context.get("task_tags"))

    with Flow("surroundings") as flow:
        look(task_args={"tags": {"b", "a"}})
    run(flow)
    run(flow, context={"no_such_name": "given", "today": "2020-01-01"})


@scenario
def a_run_needs_no_name_twice():
    with Flow("numbers") as flow:
        inc(inc(inc(one())))
        gather([numbers(), one()])
    return flow
