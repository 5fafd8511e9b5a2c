"""Flows in files: executing a script, finding the flows it defines, and the pickle form.

While a script is loaded, `penstock.context.loading_flow` holds a list to which every Flow adds itself, and
`flow.run()` and `flow.register()` return at once. Scripts run under a module name of their own, so that the
block under `if __name__ == "__main__":` does not.
"""

import json
import pickle
import platform
import sys
import traceback
import types
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import importlib_metadata

from penstock import errors
from penstock.context import context

if TYPE_CHECKING:
    from penstock.flow import Flow

_MODULE: Final = "penstock_flow_"


def load_flows(path: str | Path) -> "dict[str, Flow]":
    """Execute the script at *path* and return the flows it defines at module level, by name.

    Modules beside the script can be imported, as if Python had run it, and relatively if it lies in a package.
    Raises FlowFileError if it cannot be read or raises, or defines two flows of one name; an empty dictionary means
    that it defines none.
    """
    path = Path(path)
    with errors.told_as(errors.FlowFileError, f"The flow file {path} cannot be read", OSError):
        content = path.read_bytes()
    folder, parts = path.resolve().parent, list[str]()
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    for place in (str(folder), str(path.resolve().parent)):
        if place not in sys.path:
            sys.path.insert(0, place)
    return _execute(content, str(path), ".".join(parts))


def flow_from_script(name: str, content: bytes, location: str) -> "Flow":
    """Execute a script and return the flow *name* that it defines; raises FlowFileError."""
    return choose(_execute(content, location), name, location)


def choose(flows: "dict[str, Flow]", name: str | None, location: str) -> "Flow":
    """Return the flow *name* of a file's flows, or its only one if *name* is None; raises FlowFileError."""
    if not flows:
        raise errors.FlowFileError(f"{location} defines no flow at module level; expected is `with Flow(...) as flow:`")
    if name is None and len(flows) > 1:
        message = f"{location} defines several flows: {errors.listing(flows)}. Name one: {location}:{min(flows)}"
        raise errors.FlowFileError(message)
    chosen = next(iter(flows)) if name is None else name
    if chosen not in flows:
        hint = errors.did_you_mean(chosen, flows)
        raise errors.FlowFileError(f'{location} defines no flow "{chosen}".{hint} It defines {errors.listing(flows)}')
    return flows[chosen]


def _execute(content: bytes, location: str, package: str = "") -> "dict[str, Flow]":
    import cloudpickle

    module = types.ModuleType(_MODULE + sha256(content).hexdigest()[:16])
    module.__file__, module.__package__ = location, package
    made: list[Flow] = []
    sys.modules[module.__name__] = module
    try:
        with context(loading_flow=made):
            exec(compile(content, location, "exec"), vars(module))  # noqa: S102 - executing flows is what this is for
    except (Exception, SystemExit) as error:  # a user's script
        del sys.modules[module.__name__]
        where = _line_of(error, location)
        raise errors.FlowFileError(f"{location} cannot be loaded{where}: {type(error).__name__}: {error}") from error
    cloudpickle.register_pickle_by_value(module)  # no other process can import it
    found: dict[str, Flow] = {}
    for flow in [value for value in vars(module).values() if any(value is one for one in made)]:
        if found.setdefault(flow.name, flow) is not flow:
            raise errors.FlowFileError(f'{location} defines two flows named "{flow.name}"; give one another name')
    return found


def _line_of(error: BaseException, location: str) -> str:
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno})"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == location]
    return f" (line {lines[-1]})" if lines else ""


def script_of(flow: "Flow") -> str | None:
    """Return the file that defines *flow* at module level, or None if there is no such file."""
    module = sys.modules.get(flow.module or "")
    path = getattr(module, "__file__", None) or ""
    return path if Path(path).is_file() and any(value is flow for value in vars(module).values()) else None


def pickle_flow(flow: "Flow") -> bytes:
    """Return *flow* as a document: a pickle, and the versions it was made with."""
    import cloudpickle

    failure = f'Flow "{flow.name}" cannot be pickled'
    with errors.told_as(errors.SerializationError, failure, Exception):  # what a user's tasks hold
        pickled = cloudpickle.dumps(flow)
    return json.dumps({"flow": b64encode(pickled).decode(), "versions": versions()}).encode()


def flow_from_pickle(name: str, content: bytes, location: str) -> "Flow":
    """Return the flow that `pickle_flow` gave *content* for.

    Raises StorageError naming the versions that differ if it cannot be read.
    """
    failure = f"What lies at {location} is not a flow that penstock has pickled"
    with errors.told_as(errors.StorageError, failure, ValueError, TypeError, LookupError):
        document: dict[str, Any] = json.loads(content)
        pickled, then = b64decode(document["flow"]), dict(document["versions"])
    try:
        flow: Flow = pickle.loads(pickled)  # noqa: S301 - the digest was checked before
    except Exception as error:  # what a user's tasks hold
        here = versions()
        differ = [f"{k} {v} then, {here.get(k)} here" for k, v in then.items() if here.get(k) != v]
        message = f'Flow "{name}" at {location} cannot be unpickled: {type(error).__name__}: {error}'
        raise errors.StorageError(f"{message}. Versions that differ: {errors.listing(differ)}") from error
    return flow


def versions() -> dict[str, str]:
    """Return the versions a pickle depends on."""
    packages = {name: importlib_metadata.version(name) for name in ("penstock", "cloudpickle")}
    return {**packages, "python": platform.python_version()}
