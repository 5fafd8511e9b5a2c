"""Flows out of files: executing a script, finding the flows it defines, and the pickle form.

While a script is loaded, `penstock.context.loading_flow` holds a list to which every Flow adds itself, and
`flow.run()` and `flow.register()` return at once. Scripts run under a module name of their own, so that the
block under `if __name__ == "__main__":` does not.
"""

import json
import pickle
import platform
import sys
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

    Modules beside the script can be imported, as if Python had run it. Raises FlowFileError if it cannot be read or
    raises, or defines two flows of one name; an empty dictionary means that it defines none.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"The flow file {path} cannot be read: {error.strerror or error}"
        raise errors.FlowFileError(message) from error
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return _execute(content, str(path))


def flow_from_script(name: str, content: bytes, location: str) -> "Flow":
    """Execute a script and return the flow *name* that it defines; raises FlowFileError."""
    return choose(_execute(content, location), name, location)


def choose(flows: "dict[str, Flow]", name: str | None, location: str) -> "Flow":
    """Return the flow *name* of a file's flows, or its only one if *name* is None; raises FlowFileError."""
    if not flows:
        message = (
            f"{location} defines no flow at module level; expected `with Flow(...) as flow:` outside of any function"
        )
        raise errors.FlowFileError(message)
    if name is None and len(flows) > 1:
        message = f"{location} defines several flows: {errors.listing(flows)}. Name one: {location}:{min(flows)}"
        raise errors.FlowFileError(message)
    chosen = next(iter(flows)) if name is None else name
    if chosen not in flows:
        hint = errors.did_you_mean(chosen, flows)
        message = f'{location} defines no flow "{chosen}".{hint} It defines {errors.listing(flows)}'
        raise errors.FlowFileError(message)
    return flows[chosen]


def _execute(content: bytes, location: str) -> "dict[str, Flow]":
    module = types.ModuleType(_MODULE + sha256(content).hexdigest()[:16])
    module.__file__ = location
    made: list[Flow] = []
    sys.modules[module.__name__] = module
    try:
        with context(loading_flow=made):
            exec(compile(content, location, "exec"), vars(module))  # noqa: S102 - executing flows is what this is for
    except (Exception, SystemExit) as error:  # a user's script
        del sys.modules[module.__name__]
        where = _line_of(error, location)
        message = f"{location} cannot be loaded{where}: {type(error).__name__}: {error}"
        raise errors.FlowFileError(message) from error
    _by_value(module)
    found: dict[str, Flow] = {}
    for flow in [value for value in vars(module).values() if any(value is one for one in made)]:
        if found.setdefault(flow.name, flow) is not flow:
            message = f'{location} defines two flows named "{flow.name}"; give one of them another name'
            raise errors.FlowFileError(message)
    return found


def _line_of(error: BaseException, location: str) -> str:
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno})"
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == location:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def _by_value(module: types.ModuleType) -> None:
    """Let the script's functions travel by value: no other process can import it."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)


def script_of(flow: "Flow") -> str | None:
    """Return the file that defines *flow* at module level, or None if there is no such file."""
    module = sys.modules.get(flow.module or "")
    path = getattr(module, "__file__", None)
    if module is None or path is None or not Path(path).is_file():
        return None
    return path if any(value is flow for value in vars(module).values()) else None


def pickle_flow(flow: "Flow") -> bytes:
    """Return *flow* as a document: a pickle, and the versions it was made with."""
    import cloudpickle

    try:
        pickled = cloudpickle.dumps(flow)
    except Exception as error:  # what a user's tasks hold
        message = f'Flow "{flow.name}" cannot be pickled: {error}'
        raise errors.SerializationError(message) from error
    return json.dumps({"flow": b64encode(pickled).decode(), "versions": versions()}).encode()


def flow_from_pickle(name: str, content: bytes, location: str) -> "Flow":
    """Return the flow that `pickle_flow` gave *content* for.

    Raises StorageError naming the versions that differ if it cannot be read.
    """
    try:
        document: dict[str, Any] = json.loads(content)
        pickled, then = b64decode(document["flow"]), dict(document["versions"])
    except (ValueError, TypeError, LookupError) as error:
        message = f"What lies at {location} is not a flow that penstock has pickled: {type(error).__name__}: {error}"
        raise errors.StorageError(message) from error
    try:
        flow: Flow = pickle.loads(pickled)  # noqa: S301 - the digest was checked before
    except Exception as error:  # what a user's tasks hold
        here = versions()
        differ = [f"{k} {v} then, {here.get(k)} here" for k, v in then.items() if here.get(k) != v]
        message = f'Flow "{name}" at {location} cannot be unpickled: {type(error).__name__}: {error}. '
        message += f"Versions that differ: {errors.listing(differ)}"
        raise errors.StorageError(message) from error
    return flow


def versions() -> dict[str, str]:
    """Return the versions a pickle depends on."""
    packages = {name: importlib_metadata.version(name) for name in ("penstock", "cloudpickle")}
    return {**packages, "python": platform.python_version()}
