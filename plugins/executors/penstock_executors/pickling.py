"""Pickles for worker processes: what they cannot import goes by value."""

import importlib.machinery
import io
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from types import CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle

from penstock import errors
from penstock_executors import blame
from penstock_executors.worker import DIGEST_BYTES, FUNCTIONS_KEPT


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it is sent: its digest and its pickle."""

    digest: bytes
    pickled: bytes
    original: Callable[..., Any]


class Functions:
    """The functions that a pool was given, each pickled when it comes first; what it holds changes no more."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: OrderedDict[int, Function] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, function: Callable[..., Any]) -> Function:
        """Return *function* as it is sent."""
        with self._lock:
            known = self._known.get(id(function))
            if known is not None:
                self._known.move_to_end(id(function))
                return known
        pickled = bytes(dumps(b"", function))
        made = Function(blake2b(pickled, digest_size=DIGEST_BYTES).digest(), pickled, function)
        with self._lock:
            self._known[id(function)] = made  # holding the function keeps its id its own
            if len(self._known) > FUNCTIONS_KEPT:
                self._known.popitem(last=False)
        return made


def dumps(prefix: bytes, value: object) -> memoryview:
    """Return *prefix* and the pickle of *value*, in one piece."""
    frame = io.BytesIO()
    frame.write(prefix)
    Pickler(frame, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return frame.getbuffer()


def refused(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    cause: Exception,
    dump: Callable[[Any], object] | None = None,
) -> errors.SerializationError:
    """Return the error of a call that cannot be pickled because of *cause*, which names what in it is to blame.

    *dump* pickles a value, if that is not done as for a worker process.
    """
    why = blame.told(_parts(function, args, kwargs), dump or (lambda value: dumps(b"", value)))
    error = errors.SerializationError(f"{name_of(function)} cannot be sent to a worker: {why or cause}")
    error.__cause__ = cause
    return error


def _parts(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[blame.Part]:
    """Yield the parts of a call, by the names that the user knows: those of inputs, if it is one of the engine's.

    The `identify` of those tells a task's name, slug and tags, and `inputs` what one of the calls in the first argument
    gives it.
    """
    engines: Any = function if hasattr(function, "identify") else None
    yield blame.Part(function, "", "the task" if engines else "the function")
    for call in args[0] if engines else ():
        yield from (blame.Part(value, name, "its input") for name, value in engines.inputs(call).items())
    yield from (blame.Part(value, "", f"its argument {number}") for number, value in enumerate(args, start=1))
    yield from (blame.Part(value, "", f"its argument {name!r}") for name, value in kwargs.items())


def name_of(function: Callable[..., Any]) -> str:
    """Return what the user calls a function, in messages."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    return f"`{name}`" if name else f"a call of {type(function).__qualname__}"


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    """Cloudpickle, which pickles by value what `__main__` holds, and here what no other process can import."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how *obj* is pickled, or NotImplemented for how it usually is."""
        if isinstance(obj, type | FunctionType):
            module = sys.modules.get(obj.__module__ or "")
            if module is not None and module.__name__ != "__main__" and not _importable(module):
                cloudpickle.register_pickle_by_value(module)
        elif isinstance(obj, CodeType):
            return _code, (obj.co_filename, *self.dispatch_table[CodeType](obj))
        return super().reducer_override(obj)


def _code(file: str, make: Callable[..., CodeType], args: tuple[Any, ...]) -> CodeType:
    """Return code that says what file it is from, of which cloudpickle keeps nothing."""
    return make(*args).replace(co_filename=file)


@lru_cache(maxsize=1024)
def _importable(module: ModuleType) -> bool:
    """Return whether an import of its name would find *module*, and not nothing or another file."""
    spec = _find(module.__name__)
    file = getattr(module, "__file__", None)
    if file is None:  # made by code; if its package can be imported, that will make it again
        return _find(module.__name__.partition(".")[0]) is not None
    return spec is not None and spec.origin in (file, None)


def _find(name: str) -> importlib.machinery.ModuleSpec | None:
    """Return where an import would find *name*; imports nothing, and does not look at what is imported."""
    spec, path, known = None, None, ""
    for part in name.split("."):
        known = f"{known}.{part}" if known else part
        found = (finder.find_spec(known, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next((one for one in found if one is not None), None)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec
