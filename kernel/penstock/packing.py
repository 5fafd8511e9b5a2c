"""Exceptions on their way through a pickle: one that cannot travel becomes a text, and takes nothing else along."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Packed:
    """An exception that is to be pickled. What is read in its place shows where it was raised, but no source."""

    exception: BaseException

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the exception on its own, or a text that says what it was and why it cannot be pickled."""
        from traceback import walk_tb

        import cloudpickle

        codes = [(frame.f_code, line) for frame, line in walk_tb(self.exception.__traceback__)]
        try:
            content = cloudpickle.dumps(self.exception)
        except Exception as error:  # noqa: BLE001 - what a user's exception holds
            return str, (f"{self.exception!r}, which cannot be pickled: {error!r}",)
        return _restored, (content, repr(self.exception), [(one.co_filename, at, one.co_name) for one, at in codes])


def _restored(content: bytes, text: str, frames: Sequence[tuple[str, int, str]]) -> Any:
    """Return the exception, or a text that says what it was and why it is not here."""
    import pickle

    try:
        return pickle.loads(content).with_traceback(_traceback(frames))  # noqa: S301 - of the pickle that is being read
    except Exception as error:  # noqa: BLE001 - a user's class
        return f"{text}, which cannot be restored from a pickle: {error!r}"


def _traceback(frames: Sequence[tuple[str, int, str]]) -> TracebackType | None:
    """Return a traceback that shows *frames*, each the file, the line and the function of code that ran elsewhere."""
    trace = None
    for file, line, function in reversed(frames):
        code = compile("__import__('sys')._getframe()", file, "eval").replace(co_name=function)
        trace = TracebackType(trace, eval(code, {}), -1, line)  # noqa: S307 - a frame of that name
    return trace
