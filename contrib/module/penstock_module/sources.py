"""The source of a module as it would be imported here, found without executing any of it."""

import importlib
import sys
from importlib.machinery import ModuleSpec
from typing import Any

from penstock import errors


def read(name: str) -> bytes:
    """Return the source of the module *name*, or of a package's `__init__`.

    Nothing is imported but namespace packages above it, which have no code. Raises FlowNotStoredError if there is no
    such module, StorageError if it has no source.
    """
    spec = _find(name)
    if spec is None:
        message = f"There is no module {name} here. Install what brings it where the flow runs, or correct the name"
        raise errors.FlowNotStoredError(f"{message}; it was looked for in sys.path: {', '.join(map(repr, sys.path))}")
    loader: Any = spec.loader
    path = loader.get_filename(name) if hasattr(loader, "get_data") else None
    if path is None or not path.endswith(".py"):
        found = spec.origin or "a folder without code"
        raise errors.StorageError(
            f"The module {name} is {found}, and has no source that could be compared; expected is a .py file"
        )
    try:
        content: bytes = loader.get_data(path)
    except OSError as error:
        message = f"The source of the module {name}, {path}, cannot be read: {error.strerror or error}"
        raise errors.StorageUnreachableError(f"{message}; install it again") from error
    return content


def _find(name: str) -> ModuleSpec | None:
    """Return where a module would come from; `importlib.util.find_spec` would execute the packages above it."""
    above, _, _ = name.rpartition(".")
    places = None
    if above:
        spec = _find(above)
        if spec is None or spec.submodule_search_locations is None:
            return None
        if spec.origin is None:  # a namespace package, which later searches need, and which executes nothing
            importlib.import_module(above)
        places = getattr(sys.modules.get(above), "__path__", spec.submodule_search_locations)
    known: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    if known is not None:
        return known
    try:
        found = (finder.find_spec(name, places) for finder in sys.meta_path)
        return next((spec for spec in found if spec is not None), None)
    except KeyError as error:  # how Python says that it would have to execute the package above first
        message = f"{name} is a folder without __init__.py inside the package {above}, which hides what is in it"
        raise errors.FlowNotStoredError(f"{message} until that was executed; add an empty __init__.py") from error
