"""Pickles for worker processes: what they cannot import goes by value."""

import importlib.machinery
import io
import pickle
import sys
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

import cloudpickle


def dumps(prefix: bytes, value: object) -> memoryview:
    """Return *prefix* and the pickle of *value*, in one piece."""
    frame = io.BytesIO()
    frame.write(prefix)
    _Pickler(frame, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return frame.getbuffer()


def refusal(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return why the call of *name* cannot be pickled, naming the part that is to blame."""
    parts = {"the function itself": function}
    parts |= {f"its argument {position}": value for position, value in enumerate(args, start=1)}
    parts |= {f"its argument {key!r}": value for key, value in kwargs.items()}
    for part, value in parts.items():
        try:
            dumps(b"", value)
        except Exception as error:  # noqa: BLE001 - the user's classes, being pickled
            return f"{name} cannot be sent to a worker process: {part}, of type {type(value).__qualname__}: {error}"
    return f"{name} cannot be sent to a worker process"


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    """Cloudpickle, which pickles by value what `__main__` holds, and here what no other process can import."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType):
            module = sys.modules.get(obj.__module__ or "")
            if module is not None and module.__name__ != "__main__" and not _importable(module):
                cloudpickle.register_pickle_by_value(module)
        return super().reducer_override(obj)


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
