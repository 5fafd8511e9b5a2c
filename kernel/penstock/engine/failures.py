"""What an exception out of a user's code becomes: a state, with the user's own traceback and a description."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstock import errors, signals
from penstock.context import context
from penstock.redaction import hidden
from penstock.states import Failed, State

if TYPE_CHECKING:
    from types import TracebackType

_PACKAGE: Final = str(Path(__file__).parent.parent)


def state_of(error: BaseException) -> State:
    """Return the state that an exception out of a task's body stands for; raises it again if it is not the body's."""
    if isinstance(error, signals.ENDRUN):
        error.state.context = {**(error.state.context or {}), "final": True}
    if isinstance(error, signals.PenstockSignal):
        return error.state
    if isinstance(error, KeyboardInterrupt | GeneratorExit) or context.get("raise_on_exception"):
        raise error
    without_framework(error)
    return Failed(hidden(told(error)), error, context={"exception": describe(error)})


def told(error: BaseException) -> str:
    """Return the type of an exception, with its text if it has one."""
    text = _text(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(error: BaseException) -> str:
    with suppress(Exception):  # a user's own `__str__`, which must not hide what was raised
        return str(error)
    return "<its text cannot be made>"


def without_framework(error: BaseException) -> None:
    """Cut the framework's own frames from the top of a traceback, down to the user's first."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    if trace is not None:
        error.__traceback__ = trace


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as metadata: type, message, and for each frame file, line and function; no source."""
    import traceback

    frames = [
        {"file": frame.f_code.co_filename, "line": line, "function": frame.f_code.co_name}
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return {"type": type(error).__name__, "message": hidden(_text(error)), "frames": frames}


def unreadable(subject: str, error: BaseException, kind: type[Failed] = Failed) -> State:
    """Return the state of a task for which *subject* (its pool, its trigger, a handler) raised *error*, or a signal."""
    if isinstance(error, signals.PenstockSignal):
        return error.state
    message = f"{subject} could not be run: {told(error)}"
    exception = error if isinstance(error, Exception) else errors.ExecutorError(message)
    without_framework(exception)
    return kind(message, exception, context={"exception": describe(exception)})
