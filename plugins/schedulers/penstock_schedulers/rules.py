"""Filters and adjustments: functions of a moment that are known by name, so that they travel as data.

What travels is `{"name": "between_times", "arguments": {"start": "09:00:00", "end": "17:00:00"}}`; the function is
looked up by its name where the schedule is restored, and only among those that plugins register.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import update_wrapper
from pkgutil import resolve_name
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeAlias, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import PydanticSerializationError

from penstock import errors
from penstock.hooks import implementations

P = ParamSpec("P")
R = TypeVar("R")
Moves: TypeAlias = tuple[timedelta, timedelta]
"""By how much an adjustment moves a moment at least and at most; what lies before it moves back by less than zero."""

USUAL_MOVES: Final = (timedelta(days=-7), timedelta(days=7))


class Rule(Generic[P, R]):
    """Makes a filter or an adjustment of a function of a moment and of further arguments: use it as a decorator.

    The rule takes the further arguments and gives what waits for the moment: `between_times(time(9), time(17))`. They
    are validated by the function's annotations, and need a form in JSON. An adjustment whose `moves` is a function of
    the same arguments says by how much it moves a moment; others do so by at most a week.
    """

    moves: Callable[P, Moves] | None = None

    def __init__(self, function: Callable[Concatenate[datetime, P], R]) -> None:
        """Read the annotations of *function*."""
        update_wrapper(self, function)
        self.function: Callable[Concatenate[datetime, P], R] = function
        names = list(inspect.signature(function).parameters.values())[1:]
        self.signature: inspect.Signature = inspect.Signature(names)
        self.call: str = f"{function.__name__}({', '.join(one.name for one in names)})"
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {one.name: (hints.get(one.name, Any), _default(one)) for one in names}
        config = ConfigDict(arbitrary_types_allowed=True, frozen=True)
        self.arguments: type[BaseModel] = create_model(function.__name__, __config__=config, **fields)

    def __call__(self, *args: P.args, **options: P.kwargs) -> "Bound[R]":
        """Return the function of a moment; raises SettingsError for an argument that does not fit."""
        given = self.signature.bind(*args, **options).arguments
        try:
            return Bound(self, self.arguments(**given))
        except ValidationError as error:
            wrong = "; ".join(f"{one['loc'][0]}: {one['msg']}, found {one['input']!r}" for one in error.errors())
            raise errors.SettingsError(f"{self.call} does not fit: {wrong}") from error


@dataclass(frozen=True)
class Bound(Generic[R]):
    """A rule with its arguments: a function of a moment."""

    rule: Rule[Any, R]
    arguments: BaseModel

    def __call__(self, moment: datetime) -> R:
        """Return what the rule says of *moment*, which shows the time of the clock that named it."""
        return self.rule.function(moment, **dict(self.arguments))

    def __repr__(self) -> str:
        """Show the call that made this."""
        return repr(self.arguments)

    @property
    def moves(self) -> Moves:
        """By how much this moves a moment, if it is an adjustment."""
        return self.rule.moves(**dict(self.arguments)) if self.rule.moves is not None else USUAL_MOVES


def _default(parameter: inspect.Parameter) -> Any:
    return ... if parameter.default is parameter.empty else parameter.default


def find(kind: str, data: Any) -> Any:
    """Return the function that *data* stands for: a name, or a name and arguments; one of *kind*, `"filter"` say.

    Raises ScheduleError naming those there are if nobody registers the name.
    """
    known = registered(kind)
    whole = data if isinstance(data, Mapping) else {"name": data}
    name, arguments = str(whole.get("name")), whole.get("arguments", {})
    if name not in known:
        hint = errors.did_you_mean(name, known)
        message = f"No plugin registers the {kind} {name!r}.{hint} There is {errors.listing(known)}."
        raise errors.ScheduleError(message)
    function = _loaded(known[name])
    return function(**arguments) if isinstance(function, Rule) else function


def as_data(kind: str, function: Any) -> dict[str, Any]:
    """Return the name of a registered *function*, and its arguments; raises ScheduleError for any other."""
    rule = function.rule if isinstance(function, Bound) else function
    home = f"{getattr(rule, '__module__', '')}:{getattr(rule, '__qualname__', '')}"
    name = next((name for name, known in registered(kind).items() if known in (rule, home)), None)
    if name is None:
        message = (
            f"The {kind} {shown(rule)} is registered by no plugin, so that it could not be found where the schedule is "
            f"restored. Register it under a name with the hook penstock_register_schedule_{kind}s, or run the flow "
            "here: flow.run(run_on_schedule=True)"
        )
        raise errors.ScheduleError(message)
    if not isinstance(function, Bound):
        return {"name": name}
    with errors.told_as(errors.ScheduleError, f"The {kind} {function!r} cannot travel", PydanticSerializationError):
        return {"name": name, "arguments": function.arguments.model_dump(mode="json")}


def registered(kind: str) -> Mapping[str, Any]:
    """Return the functions of a kind, or strings that name them, by name; raises PluginError for a name with two."""
    found: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for plugin, implementation in implementations(f"penstock_register_schedule_{kind}s"):
        for name, target in implementation().items():
            if name in found:
                message = f"the {kind} {name!r} of schedules is registered by two plugins, {owners[name]} and {plugin}"
                raise errors.PluginError(f"{message}; block one: PENSTOCK_PLUGINS__BLOCK={plugin}")
            found[name], owners[name] = target, plugin
    return found


def attribute(module: str, kind: str, name: str) -> Callable[..., Any]:
    """Return the function of another plugin that *module* has under *name*; raises AttributeError if nobody has it."""
    known = {} if name.startswith("_") else registered(kind)
    if name not in known:
        message = f"module {module!r} has no attribute {name!r}; there is {errors.listing(known)}"
        raise AttributeError(message, name=name)
    return _loaded(known[name])


def _loaded(target: Callable[..., Any] | str) -> Callable[..., Any]:
    function: Callable[..., Any] = resolve_name(target) if isinstance(target, str) else target
    return function


def moves(adjustment: Any) -> Moves:
    """Return by how much *adjustment* moves a moment."""
    known: Moves = getattr(adjustment, "moves", USUAL_MOVES)
    return known


def shown(function: Any) -> str:
    """Return *function* as a message names it: with its place, unless it shows itself."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code is not None else name
