"""Flows out of files, as a command line names them: `FILE` or `FILE:FLOW`.

A file finds the modules beside it, as a script does that Python runs.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from penstock import errors

if TYPE_CHECKING:
    from penstock import Flow


def split(target: str) -> tuple[Path, str | None]:
    """Return the file of *target* and the name of its flow, None if no flow is named."""
    path, colon, name = target.rpartition(":")
    if colon and path and name and not Path(target).exists():
        return Path(path), name
    return Path(target), None


def load_one(target: str) -> "Flow":
    """Return the flow that *target* names, validated; raises FlowFileError, FlowError."""
    from penstock.storage import load_flows, scripts

    path, name = split(target)
    _find_beside(path.parent)
    return checked(scripts.choose(load_flows(path), name, str(path)))


def load_all(path: Path) -> "dict[str, Flow]":
    """Return the flows of a file, or of the Python files right in a folder, by name; raises FlowFileError."""
    from penstock.storage import load_flows

    _find_beside(path if path.is_dir() else path.parent)
    if not path.is_dir():
        return load_flows(path)
    flows: dict[str, Flow] = {}
    for file in sorted(path.glob("*.py")):
        for name, flow in load_flows(file).items():
            if name in flows:
                message = f'{file} defines the flow "{name}", which another file in {path} defines too; rename one'
                raise errors.FlowFileError(message)
            flows[name] = flow
    return flows


def _find_beside(folder: Path) -> None:
    place = str(folder.absolute())
    if place not in sys.path:
        sys.path.insert(0, place)


def checked(flow: "Flow") -> "Flow":
    """Return *flow* if it can be run; raises FlowError saying what is missing."""
    try:
        flow.validate()
    except TypeError as error:
        raise errors.FlowError(str(error)) from error
    return flow
