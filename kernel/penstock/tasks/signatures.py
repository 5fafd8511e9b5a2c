"""The inputs of a task's `run`: read from the function once, used at every call."""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from penstock import errors


class _NoDefault:
    """Stands for a default that was not given."""

    def __repr__(self) -> str:
        return "no_default"

    def __reduce__(self) -> str:
        return "no_default"


no_default: Final = _NoDefault()


_RESERVED: Final = frozenset({"upstream_tasks", "mapped", "task_args", "flow"})


class Inputs:
    """The names that a function takes, in order, which are required, whether it takes any name, and is a coroutine."""

    __slots__ = ("any_name", "complete", "is_async", "keyword_only", "names", "owner", "required")

    def __init__(self, function: Callable[..., Any], owner: str) -> None:
        """Read the signature of *function*.

        Raises TaskError for a signature that a flow cannot fill, naming *owner*.
        """
        self.owner: str = owner
        self.is_async: bool = inspect.iscoroutinefunction(function)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise errors.TaskError(f"{owner} yields its values; a task returns. Collect them in a list and return that")
        failure = f"{owner} cannot be a task. Wrap {function!r} in a function, since Python does not know its signature"
        with errors.told_as(errors.TaskError, failure, ValueError):
            parameters = list(inspect.signature(function).parameters.values())
        for parameter in parameters:
            self._refuse(parameter)
        named = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
        self.names: tuple[str, ...] = tuple(p.name for p in named)
        self.keyword_only: int = sum(1 for p in named if p.kind is p.KEYWORD_ONLY)
        self.required: frozenset[str] = frozenset(p.name for p in named if p.default is p.empty)
        self.any_name: bool = len(named) < len(parameters)
        self.complete: int = -1 if self.keyword_only else len(named)

    def _refuse(self, parameter: inspect.Parameter) -> None:
        if parameter.kind is parameter.VAR_POSITIONAL:
            raise errors.TaskError(f"{self.owner} takes *{parameter.name}; a task's inputs need names. Take a list")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{self.owner} takes {parameter.name!r} by position only; a task's inputs have names too")
        if parameter.name in _RESERVED:
            taken = errors.listing(_RESERVED)
            message = f"{self.owner} has an input {parameter.name!r}; the names {taken} are taken by the call itself"
            raise errors.TaskError(message)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, tuple[Any, ...]]:
        """Return keys and values of a call; None as keys says that the values are in the order of the names.

        Raises TypeError, as the function itself would, for too many, unknown, repeated or missing arguments.
        """
        if not kwargs and len(args) == self.complete:
            return None, args
        if not kwargs and not self.required.difference(self.names[: len(args)]) and len(args) <= self._positional():
            return None, args
        if len(args) > self._positional():
            self._complain(f"takes {self._positional()} inputs by position, {len(args)} were given")
        keys = (*self.names[: len(args)], *kwargs)
        for key in kwargs:
            if key in self.names[: len(args)]:
                self._complain(f"got the input {key!r} twice, by position and by name")
        self.check_names(kwargs)
        missing = [name for name in self.names if name in self.required and name not in keys]
        if missing:
            self._complain(f"needs a value for {', '.join(missing)}")
        return keys, (*args, *kwargs.values())

    def check_names(self, keys: Iterable[str]) -> None:
        """Raise TypeError if one of *keys* is no input of the function."""
        for key in keys:
            if key not in self.names and not self.any_name:
                listed = ", ".join(self.names) or "none"
                self._complain(f"has no input {key!r}.{errors.did_you_mean(key, self.names)} It takes {listed}")

    def _positional(self) -> int:
        return len(self.names) - self.keyword_only

    def _complain(self, what: str) -> NoReturn:
        raise TypeError(f"{self.owner} {what}")


_BARE: Final = (tuple, typing.Tuple)  # noqa: UP006 - annotations are the user's


def call_signature(function: Callable[..., Any], call: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a task's call: the inputs of *function*, and the keywords that *call* adds."""
    inputs = list(inspect.signature(function).parameters.values())
    added = [p for p in inspect.signature(call).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return inspect.Signature(sorted([*inputs, *added], key=lambda parameter: parameter.kind))


def annotated_nout(function: Callable[..., Any]) -> int | None:
    """Return how many values *function* returns by its annotation, as in `-> tuple[int, str]`; None if it is open."""
    returned = getattr(function, "__annotations__", {}).get("return")
    if isinstance(returned, str) and "uple[" in returned:
        try:
            returned = typing.get_type_hints(function)["return"]
        except Exception:  # noqa: BLE001 - the user's annotation, which Python itself leaves unread
            return None
    items = typing.get_args(returned)
    return None if typing.get_origin(returned) is not tuple or returned in _BARE or items[1:] == (...,) else len(items)
