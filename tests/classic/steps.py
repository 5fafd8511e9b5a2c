"""The small tasks that most flows of these tests are made of."""

from classic import signals, task


class RefusalError(Exception):
    """An exception of the flow's own."""


@task
def one():
    return 1


@task
def nothing():
    return None


@task
def numbers():
    return [1, 2, 3]


@task
def with_zero():
    return [1, 0, 2]


@task
def all_zero():
    return [0, 0]


@task
def say(value):
    return value


@task
def inc(x):
    return x + 1


@task
def add(x, y=10):
    return x + y


@task
def twelfth(x):
    return 12 // x


@task
def total(values):
    return sum(values)


@task
def gather(values):
    return values


@task
def fail():
    raise RefusalError("no")


@task
def fail_by_signal():
    raise signals.FAIL("not today")


@task
def skip():
    raise signals.SKIP("not needed", result=None)


@task
def skip_zero(x):
    if x == 0:
        raise signals.SKIP("zero", result=None)
    return x


@task
def end():
    return "ended"
