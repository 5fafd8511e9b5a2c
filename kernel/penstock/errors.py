"""Every error penstock raises on purpose: one tree, each leaf also the builtin that fits.

A message names the object, what was found, what was expected and what to do next. `exit_code` is what
a command line ends with when the error reaches it: 2 for bad usage or bad input, 3 when a backend or a
storage is out of reach.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar


class PenstockError(Exception):
    """The root of the tree."""

    exit_code: ClassVar[int] = 2


class SettingsError(PenstockError, ValueError):
    """A settings file, an environment variable or an option has a wrong name or a wrong value."""


class PluginError(PenstockError):
    """A plugin cannot be used: it raised at import, breaks a hook's signature, or claims a taken name."""


class PluginMissingError(PluginError, ImportError):
    """A class was asked for whose plugin is not installed, or is installed and broken."""


class RenamedError(PenstockError, ImportError):
    """A name of Prefect 1 for which another stands here; no AttributeError, so that `from ... import` says which."""


class UnknownTypeError(PluginError, LookupError):
    """No installed plugin offers a class of that name."""


class FlowError(PenstockError, ValueError):
    """A flow is not well formed, or is used in a way it does not allow."""


class CycleError(FlowError):
    """The tasks of a flow depend on one another in a circle."""


class DuplicateKeyError(FlowError):
    """A task was given the same input twice, or a flow two tasks of one slug."""


class UnknownTaskError(FlowError, LookupError):
    """A task is named that the flow does not hold."""


class SecretMissingError(PenstockError, LookupError):
    """A secret is asked for that nobody here knows."""


class TaskError(PenstockError, ValueError):
    """A task is defined with options or a signature that cannot work."""


class ParameterError(PenstockError, ValueError):
    """A flow run was given a missing, an unknown or an ill-typed parameter."""


class FlowFileError(PenstockError, ValueError):
    """A file that should define a flow defines none, several, or cannot be executed."""


class StorageError(PenstockError):
    """A flow cannot be stored, or cannot be read back."""


class StorageUnreachableError(StorageError, OSError):
    """The place a storage writes to or reads from does not answer or does not let us in."""

    exit_code: ClassVar[int] = 3


class FlowNotStoredError(StorageError, LookupError):
    """A storage was asked for a flow that it does not hold."""


class SourceChangedError(StorageError, ValueError):
    """The stored source of a flow is not what was registered: its digest differs. Nothing was executed."""


class ResultError(PenstockError):
    """A task's result cannot be written, or cannot be read back."""


class ResultMissingError(ResultError, LookupError):
    """There is no result at the location asked for."""


class ResultCorruptError(ResultError, ValueError):
    """What lies at a result's location is not what was written: its header, length or digest differs."""


class SerializationError(PenstockError, TypeError):
    """A value cannot be turned into bytes, or bytes cannot be turned into a value."""


class ExecutorError(PenstockError, RuntimeError):
    """An executor cannot do what was asked, or lost the process that ran a task.

    `position` says which of the calls that travelled together the process was at, where that is known, and `timed_out`
    whether the process was ended because the time of its task was over.
    """

    position: int | None = None
    timed_out: bool = False


class ScheduleError(PenstockError, ValueError):
    """A schedule is not well formed."""


class BackendError(PenstockError):
    """A backend refuses a request."""


class UnknownProjectError(BackendError, LookupError):
    """No project of that name exists."""


class UnknownFlowError(BackendError, LookupError):
    """No flow of that name is registered."""


class UnknownRunError(BackendError, LookupError):
    """No run of that id or name exists, or the name fits several."""


class ConflictError(BackendError, ValueError):
    """A state or a request may not follow what is already there."""


class LeaseLostError(ConflictError):
    """A run is reported on by somebody who no longer holds its lease."""


class LimitReachedError(ConflictError):
    """What was asked for has no slot left; some time later it may have."""


class DocumentError(BackendError, ValueError):
    """A document does not fit its kind, or is too large."""


class BackendUnreachableError(BackendError, ConnectionError):
    """The backend cannot be opened or does not answer."""

    exit_code: ClassVar[int] = 3


class BackendVersionError(BackendError, RuntimeError):
    """The backend's data was written by a newer or an older penstock than this one."""

    exit_code: ClassVar[int] = 3


@contextmanager
def told_as(kind: type[PenstockError], message: str, *causes: type[Exception]) -> Iterator[None]:
    """Raise *kind* with *message* and what the cause says, for each of *causes* that is raised inside the block.

    A wrong value, and a failure of the system, speak for themselves; of any other cause the type is told too.
    """
    try:
        yield
    except causes as error:
        told = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise kind(f"{message}: {getattr(error, 'strerror', None) or told}") from error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the hint `" Did you mean x?"` for the nearest of *known*, or an empty string if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


def listing(names: Iterable[str], nothing: str = "none") -> str:
    """Return *names* sorted and joined for a message, or *nothing* if there are no names."""
    return ", ".join(sorted(names)) or nothing
