"""Branches, and where they come together again."""

from classic import Flow, Parameter, case, ifelse, merge, refused, run, scenario, switch, task, triggers
from steps import add, end, fail, gather, inc, nothing, numbers, one, say, skip, total, with_zero


@task
def left():
    return "left"


@task
def right():
    return "right"


@task
def positive(x):
    return x > 0


@scenario
def a_case_that_holds_and_one_that_does_not():
    with Flow("cases") as flow:
        kind = say("a")
        with case(kind, "a"):
            first = left()
        with case(kind, "b"):
            second = right()
        say(merge(first, second))
    return flow


@scenario
def a_case_with_several_tasks():
    with Flow("cases") as flow:
        with case(say(Parameter("on", default=True)), True):
            first = inc(1)
            second = inc(first)
            add(first, second)
            one()
        end(upstream_tasks=[second])
    run(flow)
    run(flow, on=False)


@scenario
def a_case_of_a_parameter():
    with Flow("cases") as flow:
        kind = Parameter("kind")
        with case(kind, 1):
            first = left()
        with case(kind, 2):
            second = right()
        merge(first, second)
    run(flow, kind=1)
    run(flow, kind=2)
    run(flow, kind=3)


@scenario
def a_case_inside_a_case():
    with Flow("cases") as flow:
        outer, inner = Parameter("outer"), Parameter("inner")
        with case(outer, True):
            first = left()
            with case(inner, "yes"):
                second = right()
            third = inc(1)
        gather(merge(second, third, first))
    for outer_value in (True, False):
        for inner_value in ("yes", "no"):
            run(flow, outer=outer_value, inner=inner_value)


@scenario
def a_case_whose_condition_fails():
    with Flow("cases") as flow:
        with case(fail(), True):
            first = left()
        with case(skip(), True):
            second = right()
        merge(first, second)
        merge(first, second, trigger=triggers.all_finished)
    return flow


@scenario
def a_case_around_a_map():
    with Flow("cases") as flow:
        with case(Parameter("on"), True):
            first = inc.map(numbers())
            second = total(first)
        with case(Parameter("off", default=False), True):
            third = gather([1])
        merge(second, third)
        merge(first, third)
    run(flow, on=True)
    run(flow, on=False, off=True)
    run(flow, on=False)


@scenario
def a_case_with_upstream_tasks_outside():
    with Flow("cases") as flow:
        outside = one()
        with case(say(False), True):
            inside = inc(outside)
        say(inside)
        say(outside)
    return flow


@scenario
def a_case_with_a_constant_and_nothing():
    with Flow("cases") as flow:
        condition = say(None)
        with case(condition, None):
            left()
        with case(condition, 0):
            pass
        with case(say(1), True):
            right()
        with case(say([1]), [1]):
            end()
    return flow


@scenario
def a_case_of_a_task():
    with Flow("cases"):
        condition = one()
        refused(lambda: case(condition, one()))


@scenario
def a_body_in_a_case_fails():
    with Flow("cases") as flow:
        condition = one()
        with case(condition, 1):
            first = inc(fail())
        with case(condition, 2):
            second = right()
        merge(first, second)
    return flow


@scenario
def a_switch():
    with Flow("branches") as flow:
        a, b, c = left(), right(), end()
        switch(Parameter("kind"), {"a": a, "b": b, "c": c})
        merge(a, b, c)
    run(flow, kind="b")
    run(flow, kind="none of them")


@scenario
def a_switch_with_longer_branches():
    with Flow("branches") as flow:
        a, b = inc(one()), inc(inc(1))
        switch(say("a"), {"a": a, "b": b})
        add(merge(a, b), 5)
    return flow


@scenario
def a_switch_whose_condition_fails():
    with Flow("branches") as flow:
        a, b = left(), right()
        switch(fail(), {"a": a, "b": b})
        merge(a, b)
    return flow


@scenario
def ifelse_in_both_directions():
    with Flow("branches") as flow:
        yes, no = left(), right()
        ifelse(positive(Parameter("x")), yes, no)
        merge(yes, no)
    run(flow, x=1)
    run(flow, x=-1)


@scenario
def ifelse_with_one_branch():
    with Flow("branches") as flow:
        condition = say(Parameter("on"))
        yes, no = left(), right()
        ifelse(condition, yes, None)
        ifelse(condition, None, no)
        merge(yes, no)
    run(flow, on=True)
    run(flow, on=0)


@scenario
def ifelse_with_values_that_count_as_false():
    with Flow("branches") as flow:
        for value in (0, "", [], None, "x"):
            yes = left()
            ifelse(say(value), yes, None)
    return flow


@scenario
def a_merge_of_none_and_values():
    with Flow("merges") as flow:
        merge(nothing(), say(0), say(2))
        merge(nothing(), nothing())
        merge(say(False), say(True))
    return flow


@scenario
def a_merge_with_a_failed_branch():
    with Flow("merges") as flow:
        merge(fail(), one())
        merge(fail(), skip())
        merge(skip(), skip())
    return flow


@scenario
def a_merge_of_maps():
    with Flow("merges") as flow:
        gather(merge(inc.map(numbers()), skip()))
        merge(skip(), inc.map(with_zero()))
    return flow


@scenario
def a_merge_that_is_mapped():
    with Flow("merges") as flow:
        gather(merge(inc.map([1, 2]), inc.map([10, 20]), mapped=True))
    return flow


@scenario
def a_merge_of_values():
    with Flow("merges") as flow:
        merge(None, 5, one())
    return flow


@scenario
def what_follows_a_merge():
    with Flow("merges") as flow:
        chosen = merge(skip(), one())
        inc(chosen)
        end(upstream_tasks=[merge(skip(), skip())])
    return flow


@scenario
def a_mapped_switch():
    with Flow("branches") as flow:
        yes, no = inc.map([1, 2, 3]), add.map([1, 2, 3])
        ifelse(positive.map([1, -1, 1]), yes, no, mapped=True)
        gather(merge(yes, no, mapped=True))
    return flow
