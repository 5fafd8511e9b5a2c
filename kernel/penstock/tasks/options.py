"""The options of a task, shared by all its copies."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypedDict

import penstock
from penstock import cache_validators, errors, triggers

if TYPE_CHECKING:
    from penstock.cache_validators import CacheValidator
    from penstock.results import Result
    from penstock.states import State
    from penstock.triggers import Trigger

    StateHandler = Callable[[Any, State, State], State | None]
    Template = str | Callable[..., str]
    Delay = timedelta | float
    RetryDelay = tuple[timedelta, ...] | Callable[[int], Delay]


class TaskArguments(TypedDict, total=False):
    """What may be given for each option of a task; None stands for the default. `Task` says what they mean."""

    slug: str | None
    tags: Iterable[str] | None
    max_retries: int | None
    retry_delay: "Delay | Sequence[Delay] | Callable[[int], Delay] | None"
    retry_on: type[BaseException] | Iterable[type[BaseException]] | None
    timeout: "Delay | None"
    trigger: "Trigger | None"
    skip_on_upstream_skip: bool
    state_handlers: "Sequence[StateHandler] | None"
    on_failure: "Callable[[Any, State], None] | None"
    checkpoint: bool | None
    result: "Result | str | Mapping[str, Any] | None"
    target: "Template | None"
    cache_for: "Delay | None"
    cache_validator: "CacheValidator | None"
    cache_key: str | None
    task_run_name: "Template | None"
    log_stdout: bool
    nout: int | None


class NamedTaskArguments(TaskArguments, total=False):
    """The options of a task, and its name."""

    name: str | None


@dataclass(frozen=True)
class TaskOptions:
    """What can be set on a task beside its name. Frozen, so that copies of a task can share it."""

    slug: str | None = None
    tags: frozenset[str] = frozenset()
    max_retries: int = 0
    retry_delay: "timedelta | RetryDelay | None" = None
    retry_on: tuple[type[BaseException], ...] = ()
    timeout: float | None = None
    trigger: "Trigger" = triggers.all_successful
    skip_on_upstream_skip: bool = True
    state_handlers: "tuple[StateHandler, ...]" = ()
    checkpoint: bool | None = None
    result: "Result | None" = field(default=None, compare=False)
    target: "Template | None" = None
    cache_for: timedelta | None = None
    cache_validator: "CacheValidator" = cache_validators.duration_only
    cache_key: str | None = None
    task_run_name: "Template | None" = None
    log_stdout: bool = False
    nout: int | None = None

    @cached_property
    def plain(self) -> bool:
        """Whether only the body and retries are asked for: the engine's short way, if the body is no coroutine."""
        return self.straight and self.trigger is triggers.all_successful and self.skip_on_upstream_skip

    @cached_property
    def straight(self) -> bool:
        """Whether the body may be called with nothing around it."""
        asked = (self.result, self.timeout, self.target, self.cache_for, self.task_run_name)
        return not (self.state_handlers or self.log_stdout or any(option is not None for option in asked))

    def delay(self, attempt: int) -> timedelta:
        """Return how long to wait after attempt number *attempt*, which counts from 1."""
        if isinstance(self.retry_delay, tuple):
            return self.retry_delay[min(attempt, len(self.retry_delay)) - 1]
        if callable(self.retry_delay):
            return _duration("retry_delay", self.retry_delay(attempt))
        return self.retry_delay or timedelta()

    def changed(self, subject: str, **changes: Any) -> "TaskOptions":
        """Return a copy with *changes*; raises AttributeError for a name that is no option."""
        _refuse_unknown(subject, changes, AttributeError)
        return replace(self, **_checked(subject, changes))


OPTION_NAMES: Final = frozenset(option.name for option in fields(TaskOptions))


def make_options(subject: str, arguments: Mapping[str, Any], around: Iterable[str] = ()) -> TaskOptions:
    """Return the options of the task *subject*, which also has the tags *around* it.

    Raises TaskError or TypeError for those that do not fit.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    on_failure, tags = given.pop("on_failure", None), given.get("tags", ())
    _refuse_unknown(subject, given, TypeError)
    given["tags"] = tags if isinstance(tags, str) else {*tags, *around}
    if on_failure is not None:
        given["state_handlers"] = (*given.get("state_handlers", ()), OnFailure(on_failure))
    made = TaskOptions(**_checked(subject, given))
    if made.max_retries and made.retry_delay is None:
        how = "give one, timedelta(0) to retry at once"
        raise errors.TaskError(f"{subject} has max_retries={made.max_retries} but no retry_delay; {how}")
    for name in {"retry_delay", "retry_on"} & given.keys() if not made.max_retries else ():
        raise errors.TaskError(f"{subject} has {name} but no max_retries; say how often to retry")
    if "cache_validator" in given and made.cache_for is None:
        message = f"{subject} has a cache_validator but no cache_for, so nothing is cached; say for how long"
        warnings.warn(message, stacklevel=4)
    return made


def _refuse_unknown(subject: str, names: Iterable[str], kind: type[Exception]) -> None:
    for name in sorted(set(names) - OPTION_NAMES):
        raise kind(f"{subject} has no option {name!r}.{errors.did_you_mean(name, OPTION_NAMES)}")


def _checked(subject: str, options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _CHECKS[name](f"{name} of {subject}", value) if name in _CHECKS and value is not None else value
        for name, value in options.items()
    }


def _tags(subject: str, tags: Iterable[str]) -> frozenset[str]:
    if isinstance(tags, str):
        raise TypeError(f"{subject} must be a set of strings; found the string {tags!r}. Write tags={{{tags!r}}}")
    return frozenset(tags)


def _duration(subject: str, value: object) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = timedelta(seconds=value)
    if isinstance(value, timedelta) and value >= timedelta():
        return value
    raise TypeError(f"{subject} must be 0 or more, a timedelta or a number of seconds; found {value!r}")


def _delay(
    subject: str, delay: "Delay | Sequence[Delay] | Callable[[int], Delay]"
) -> "timedelta | tuple[timedelta, ...] | Callable[[int], Delay]":
    if isinstance(delay, list | tuple) and delay:
        return tuple(_duration(f"each {subject}", one) for one in delay)
    return delay if callable(delay) else _duration(subject, delay)


def _timeout(subject: str, timeout: timedelta | float) -> float:
    seconds = _duration(subject, timeout).total_seconds()
    if not seconds:
        raise errors.TaskError(f"{subject} must be more than 0 seconds; found {timeout!r}")
    return seconds


def _count(subject: str, number: Any) -> int:
    if isinstance(number, int) and number >= 0:
        return number
    raise errors.TaskError(f"{subject} must be a number, 0 or more; found {number!r}")


def _exceptions(subject: str, kinds: Any) -> tuple[type[BaseException], ...]:
    listed = tuple(kinds) if isinstance(kinds, Iterable) else (kinds,)
    for kind in listed:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"{subject} must hold exception classes; found {kind!r}")
    return listed


def checked_handlers(subject: str, handlers: Any) -> "tuple[StateHandler, ...]":
    """Return state handlers as they are kept; raises TypeError for what is no list of functions."""
    if not isinstance(handlers, Sequence) or isinstance(handlers, str):
        raise TypeError(f"{subject} must be a list of functions; found {handlers!r}")
    return tuple(_function(f"each of {subject}", handler) for handler in handlers)


def _function(subject: str, function: Any) -> Any:
    if not callable(function):
        raise TypeError(f"{subject} must be a function; found {function!r}")
    return function


def _trigger(subject: str, trigger: Any) -> Any:
    if trigger in (triggers.some_failed, triggers.some_successful):
        raise TypeError(f"{subject} needs its bounds: {trigger.__name__}(at_least=1)")
    return _function(subject, trigger)


def _template(subject: str, template: Any) -> Any:
    return template if isinstance(template, str) else _function(f"{subject}, if no text,", template)


def checked_text(subject: str, text: Any) -> str:
    """Return *text*; raises TypeError if it is none."""
    if not isinstance(text, str):
        raise TypeError(f"{subject} must be a text; found {text!r}")
    return text


_CHECKS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "tags": _tags, "slug": checked_text, "max_retries": _count, "nout": _count, "retry_delay": _delay,
    "retry_on": _exceptions, "timeout": _timeout, "trigger": _trigger, "state_handlers": checked_handlers,
    "target": _template, "task_run_name": _template, "cache_for": _duration, "cache_validator": _function,
    "cache_key": checked_text, "result": lambda _subject, given: penstock.results.Result.resolve(given),
}  # fmt: skip
"""How the value of an option is checked and brought into its form, by option."""


class OnFailure:
    """A state handler that calls *function* when something has failed; a class so that it can be pickled."""

    def __init__(self, function: "Callable[[Any, State], None]") -> None:
        """Call *function* with the task or flow and its failed state."""
        self._function = _function("on_failure", function)

    def __call__(self, subject: Any, old: "State", new: "State") -> None:  # noqa: ARG002 - a handler's signature
        """Call the function if *new* is failed."""
        if new.is_failed():
            self._function(subject, new)
