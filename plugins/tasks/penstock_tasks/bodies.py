"""What helps to write a task's body: defaults taken from the task, and pausing."""

import functools
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from penstock import clock, context, errors, signals

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


def defaults_from_attrs(
    *names: str,
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Let `run` take the inputs *names* from attributes of the task where a call leaves them out.

    So a task is a template: set up when it is made, changed for one call where needed. Raises TaskError for a name
    that is no input of `run`.
    """

    def decorate(run: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        function: Callable[..., R] = run
        inputs = tuple(inspect.signature(run).parameters)[1:]
        for name in names:
            if name not in inputs:
                hint = errors.did_you_mean(name, inputs)
                raise errors.TaskError(f"defaults_from_attrs: {run.__qualname__} has no input {name!r}.{hint}")

        @functools.wraps(run)
        def with_defaults(self: S, *args: Any, **kwargs: Any) -> R:
            given = {*inputs[: len(args)], *kwargs}
            missing = {name: getattr(self, name) for name in names if name not in given}
            return function(self, *args, **kwargs, **missing)

        return with_defaults  # type: ignore[return-value]  # it takes what run takes

    return decorate


def pause_task(message: str | None = None, duration: timedelta | None = None) -> None:
    """Pause the task that calls this until it is resumed, for *duration* at most; once it is resumed, do nothing.

    The whole body runs again then. Raises the signal PAUSE.
    """
    if context.get("resume"):
        return
    until = clock.now() + duration if duration is not None else None
    raise signals.PAUSE(message or "The task paused itself.", start_time=until)
