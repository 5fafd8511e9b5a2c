"""The options of a task, shared by all its copies."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from penstock import errors, triggers

if TYPE_CHECKING:
    from penstock.results import Result
    from penstock.states import State
    from penstock.triggers import Trigger

    StateHandler = Callable[[Any, State, State], State | None]


@dataclass(frozen=True)
class TaskOptions:
    """What can be set on a task beside its name. Frozen, so that copies of a task can share it."""

    slug: str | None = None
    tags: frozenset[str] = frozenset()
    max_retries: int = 0
    retry_delay: timedelta | None = None
    retry_on: tuple[type[BaseException], ...] = ()
    trigger: "Trigger" = triggers.all_successful
    skip_on_upstream_skip: bool = True
    state_handlers: "tuple[StateHandler, ...]" = ()
    checkpoint: bool | None = None
    result: "Result | None" = field(default=None, compare=False)
    nout: int | None = None

    @cached_property
    def plain(self) -> bool:
        """Whether the task has the common trigger, no handlers and no result: the engine's short way."""
        return (
            self.trigger is triggers.all_successful
            and self.skip_on_upstream_skip
            and not self.state_handlers
            and self.result is None
        )

    def changed(self, subject: str, **changes: Any) -> "TaskOptions":
        """Return a copy with *changes*; raises AttributeError for a name that is no option."""
        unknown = set(changes) - OPTION_NAMES
        if unknown:
            name = min(unknown)
            message = f"{subject} has no option {name!r}.{errors.did_you_mean(name, OPTION_NAMES)}"
            raise AttributeError(message)
        return replace(self, **_checked(subject, changes))


OPTION_NAMES: Final = frozenset(option.name for option in fields(TaskOptions))


def make_options(
    subject: str, *, on_failure: "Callable[[Any, State], None] | None" = None, **options: Any
) -> TaskOptions:
    """Return the options of the task *subject*; raises TaskError or TypeError for those that do not fit."""
    given = {name: value for name, value in options.items() if value is not None}
    if on_failure is not None:
        given["state_handlers"] = (*(given.get("state_handlers") or ()), OnFailure(on_failure))
    made = TaskOptions(**_checked(subject, given))
    if made.max_retries and made.retry_delay is None:
        message = (
            f"{subject} has max_retries={made.max_retries} but no retry_delay; give one, timedelta(0) to retry at once"
        )
        raise errors.TaskError(message)
    if made.retry_delay is not None and not made.max_retries:
        message = f"{subject} has a retry_delay but no max_retries; say how often to retry"
        raise errors.TaskError(message)
    if made.retry_on and not made.max_retries:
        message = f"{subject} has retry_on but no max_retries; say how often to retry"
        raise errors.TaskError(message)
    return made


def _checked(subject: str, options: dict[str, Any]) -> dict[str, Any]:
    checked = dict(options)
    if "tags" in checked:
        checked["tags"] = _tags(subject, checked["tags"])
    if "retry_delay" in checked:
        checked["retry_delay"] = _delay(subject, checked["retry_delay"])
    if "retry_on" in checked:
        checked["retry_on"] = _exceptions(subject, checked["retry_on"])
    if "max_retries" in checked and (not isinstance(checked["max_retries"], int) or checked["max_retries"] < 0):
        message = f"max_retries of {subject} must be a number of attempts, 0 or more; found {checked['max_retries']!r}"
        raise errors.TaskError(message)
    if checked.get("nout") is not None and (not isinstance(checked["nout"], int) or checked["nout"] < 0):
        message = f"nout of {subject} must be how many values it returns, 0 or more; found {checked['nout']!r}"
        raise errors.TaskError(message)
    if "state_handlers" in checked:
        checked["state_handlers"] = _handlers(subject, checked["state_handlers"])
    return checked


def _tags(subject: str, tags: Iterable[str]) -> frozenset[str]:
    if isinstance(tags, str):
        message = f"tags of {subject} must be a set of strings; found the string {tags!r}. Write tags={{{tags!r}}}"
        raise TypeError(message)
    return frozenset(tags)


def _delay(subject: str, delay: timedelta | float | None) -> timedelta | None:
    if delay is None or isinstance(delay, timedelta):
        return delay
    if isinstance(delay, int | float) and delay >= 0:
        return timedelta(seconds=delay)
    message = f"retry_delay of {subject} must be a timedelta or a number of seconds; found {delay!r}"
    raise TypeError(message)


def _exceptions(subject: str, kinds: Any) -> tuple[type[BaseException], ...]:
    listed = tuple(kinds) if isinstance(kinds, Iterable) else (kinds,)
    for kind in listed:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            message = f"retry_on of {subject} must hold exception classes; found {kind!r}"
            raise TypeError(message)
    return listed


def _handlers(subject: str, handlers: Any) -> "tuple[StateHandler, ...]":
    if not isinstance(handlers, Sequence) or isinstance(handlers, str):
        message = f"state_handlers of {subject} must be a list of functions; found {handlers!r}"
        raise TypeError(message)
    return tuple(handlers)


class OnFailure:
    """A state handler that calls *function* when something has failed; a class so that it can be pickled."""

    def __init__(self, function: "Callable[[Any, State], None]") -> None:
        """Call *function* with the task or flow and its failed state."""
        self._function = function

    def __call__(self, subject: Any, old: "State", new: "State") -> None:  # noqa: ARG002 - a handler's signature
        """Call the function if *new* is failed."""
        if new.is_failed():
            self._function(subject, new)
