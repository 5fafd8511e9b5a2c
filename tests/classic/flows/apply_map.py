"""Functions that add tasks, mapped as one."""

from classic import Flow, Parameter, apply_map, case, merge, refused, run, scenario, task, unmapped
from steps import add, gather, inc, numbers, one, say, skip_zero, total, twelfth, with_zero


@task
def even(x):
    return x % 2 == 0


@scenario
def a_function_of_several_tasks():
    def steps(x):
        return add(inc(x), inc(x))

    with Flow("applied") as flow:
        total(apply_map(steps, numbers()))
    return flow


@scenario
def a_function_with_an_unmapped_argument():
    def steps(x, y):
        return add(inc(x), y)

    with Flow("applied") as flow:
        total(apply_map(steps, numbers(), unmapped(one())))
        gather(apply_map(steps, [1, 2], y=unmapped(5)))
    return flow


@scenario
def a_function_of_two_lists():
    def steps(x, y):
        return add(x, y)

    with Flow("applied") as flow:
        gather(apply_map(steps, numbers(), y=[10, 20]))
    return flow


@scenario
def a_function_that_returns_several():
    def steps(x):
        return inc(x), say(x)

    with Flow("applied") as flow:
        first, second = apply_map(steps, numbers())
        total(first)
        gather(second)
    return flow


@scenario
def a_function_with_a_case():
    def steps(x):
        with case(even(x), True):
            first = inc(x)
        with case(even(x), False):
            second = add(x)
        return merge(first, second)

    with Flow("applied") as flow:
        gather(apply_map(steps, numbers()))
    return flow


@scenario
def a_function_with_a_root_task():
    def steps(x):
        return add(x, one())

    with Flow("applied") as flow:
        gather(apply_map(steps, numbers()))
    return flow


@scenario
def children_that_fail_and_are_skipped():
    def steps(x):
        return inc(twelfth(skip_zero(x)))

    with Flow("applied") as flow:
        apply_map(steps, with_zero())
        gather(apply_map(lambda x: inc(twelfth(x)), with_zero()))
    return flow


@scenario
def a_parameter():
    with Flow("applied") as flow:
        gather(apply_map(lambda x: add(inc(x)), Parameter("items", default=[1])))
    run(flow)
    run(flow, items=[])
    run(flow, items=[3, 4])


@scenario
def one_inside_another():
    with Flow("applied") as flow:
        gather(apply_map(lambda x: inc(x), apply_map(lambda x: add(x), numbers())))
    return flow


@scenario
def inside_a_case():
    with Flow("applied") as flow:
        with case(say(Parameter("on")), True):
            applied = apply_map(lambda x: inc(x), [1, 2])
        gather(applied)
    run(flow, on=True)
    run(flow, on=False)


@scenario
def what_cannot_be_mapped():
    with Flow("applied"):
        refused(lambda: apply_map(lambda x: inc(x), 5))
        refused(lambda: apply_map(lambda x: inc.map(x), [[1]]))
        refused(lambda: apply_map(lambda x, y: add(x, y), [1, 2], [1]))
