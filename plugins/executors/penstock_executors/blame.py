"""What in a value it is that cannot be pickled, and the path to it in the words of whoever wrote the code.

The parts of a value that fail alone are followed down to one that has no such part. Going into a function or a bound
method begins the path anew, since its name says more than how the value came to hold it.
"""

import inspect
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

_DEEPEST: Final = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A value that another holds, under *path*; counted from what *whole* names, or if it is "" from where that is."""

    value: Any
    path: str
    whole: str = ""


def told(roots: Iterable[Part], dump: Callable[[Any], object]) -> str | None:
    """Return "the closure of `load` holds a `_thread.lock` through `client`", and the error of that.

    *dump* pickles a value; if it can pickle each of *roots*, return None.
    """
    trail = list[tuple[Part, Exception]]()
    found = _failing(roots, dump)
    while found is not None and len(trail) < _DEEPEST:
        trail.append(found)  # which keeps ids unique: some parts are made for this
        known = {id(part.value) for part, _ in trail}
        found = _failing((one for one in _parts(trail[-1][0].value) if id(one.value) not in known), dump)
    if found is not None:  # what is nested too deep for pickle is so as a whole
        del trail[1:]
    return _sentence(trail) if trail else None


def _sentence(trail: list[tuple[Part, Exception]]) -> str:
    whole, path = "", ""
    for part, _ in trail:
        whole, path = (part.whole, part.path) if part.whole else (whole, path + part.path)
    culprit, error = trail[-1]
    kind, way = f"a `{_type_name(culprit.value)}`", path.removeprefix(".")
    return f"{whole} holds {kind} through `{way}`: {error}" if way else f"{whole} is {kind}: {error}"


def _failing(parts: Iterable[Part], dump: Callable[[Any], object]) -> tuple[Part, Exception] | None:
    for part in parts:
        try:
            dump(part.value)
        except Exception as error:  # noqa: BLE001 - the user's classes, being pickled
            return part, error
    return None


def _parts(value: Any) -> Iterator[Part]:
    if isinstance(value, dict):
        yield from (Part(one, f"[{key!r}]") for key, one in value.items())
        yield from (Part(key, ".keys()") for key in value)
    elif isinstance(value, list | tuple | deque):
        yield from (Part(one, f"[{number}]") for number, one in enumerate(value))
    elif isinstance(value, set | frozenset):
        yield from (Part(one, "{…}") for one in value)
    elif isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, MethodType):
        yield Part(value.__self__, "", f"the {type(value.__self__).__name__} of `{value.__name__}`")
    elif isinstance(value, type):
        yield from (Part(one, name, f"the class `{value.__name__}`") for name, one in vars(value).items())
        return
    yield from _attributes(value)
    yield from _reduced(value)


def _parts_of_function(function: FunctionType) -> Iterator[Part]:
    name = function.__qualname__.rpartition(".<locals>.")[2]
    for whole, held in (
        ("the closure", _closure(function)),
        ("the global scope", _globals(function)),
        ("the signature", _defaults(function)),
    ):
        yield from (Part(value, variable, f"{whole} of `{name}`") for variable, value in held.items())


def _closure(function: FunctionType) -> dict[str, Any]:
    named = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = {}
    for name, cell in named:
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return found


def _globals(function: FunctionType) -> dict[str, Any]:
    """Return the globals that a function and those inside it use, which travel with one that goes by value."""
    names, codes = list[str](), [function.__code__]
    while codes:
        code = codes.pop()
        names += code.co_names
        codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
    known = {name: function.__globals__[name] for name in names if name in function.__globals__}
    return {name: value for name, value in known.items() if not isinstance(value, ModuleType)}


def _defaults(function: FunctionType) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


def _attributes(value: Any) -> Iterator[Part]:
    slots = [name for kind in type(value).__mro__ for name in _slots(kind)]
    for name in [*getattr(value, "__dict__", ()), *slots]:
        try:
            yield Part(object.__getattribute__(value, name), f".{name}")
        except AttributeError:  # a slot that is empty
            continue


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _reduced(value: Any) -> Iterator[Part]:
    """Yield what a value gives to be pickled in its stead, such as the arguments of a `functools.partial`."""
    try:
        reduced = value.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - the user's class: this is what fails
        return
    if isinstance(reduced, tuple):
        yield from (Part(one, "") for one in reduced[1:3])


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
