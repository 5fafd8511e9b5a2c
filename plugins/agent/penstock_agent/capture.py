"""From log records to the lines that a backend keeps: text, never a line of source, never a secret."""

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from penstock.context import context
from penstock.engine.failures import describe
from penstock.redaction import hidden

LINE_CHARACTERS: Final = 250_000
"""How long a line may be: 1 MB in any encoding."""
_OWN_KEYS: Final = frozenset({"event", "level", "logger", "timestamp", "flow_run", "task", "exc_info", "stack_info"})
_TRACEBACK: Final = "Traceback (most recent call last):\n"
_FRAME: Final = re.compile(r'^ +File "(.+)", line (\d+), in (.+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Line:
    """A log record as text, with the task that it comes from."""

    timestamp: datetime
    level: str
    logger: str
    message: str
    task: str | None

    def data(self) -> dict[str, Any]:
        """Return the line as a mapping."""
        return {
            "timestamp": self.timestamp, "level": self.level, "logger": self.logger,
            "message": self.message, "task": self.task,
        }  # fmt: skip


class Capture(logging.Handler):
    """Hands every record on as a line."""

    def __init__(self, take: Callable[[Line], None]) -> None:
        """Give lines to *take*."""
        super().__init__()
        self._take = take

    def createLock(self) -> None:  # noqa: N802 - the standard library's name
        """Go without a lock: *take* needs none, and may wait for a thread that logs itself."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Hand *record* on; one that cannot be written as text is left to `logging` to complain about."""
        try:
            task = getattr(record, "task_full_name", None) or context.get("task_full_name")
            moment = datetime.fromtimestamp(record.created, UTC)
            self._take(Line(moment, record.levelname, record.name, text_of(record), task))
        except Exception:  # noqa: BLE001 - arguments of a record are anybody's objects
            self.handleError(record)


@contextmanager
def capturing(name: str, take: Callable[[Line], None]) -> Iterator[None]:
    """Give *take* what is logged under the logger *name* inside the block."""
    logger, handler = logging.getLogger(name), Capture(take)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def text_of(record: logging.LogRecord) -> str:
    """Return the message of a record, structlog's included, and where its exception came from."""
    event: dict[str, Any] = dict(record.msg) if isinstance(record.msg, dict) else {}
    text = str(event["event"]) if "event" in event else record.getMessage()
    error = _exception(event.get("exc_info")) or _exception(record.exc_info)
    trace = [_trace(error)] if error is not None else []
    if _TRACEBACK in str(event.get("exception")):  # a traceback that was made a text, with lines of source
        written = _without_source(str(event.pop("exception")))
        trace = trace or [written]
    more = [f"{key}={value}" for key, value in event.items() if key not in _OWN_KEYS and not key.startswith("_")]
    return cut(hidden("\n".join([" ".join([text, *more]), *trace])), LINE_CHARACTERS)


def cut(text: str, characters: int) -> str:
    """Return *text*, marked if it had to be cut."""
    rest = len(text) - characters
    return text if rest <= 0 else f"{text[:characters]}… [cut, {rest} more characters]"


def _exception(found: Any) -> BaseException | None:
    if found is True:  # the one that is being handled
        found = sys.exc_info()
    if isinstance(found, tuple):
        found = found[1]
    return found if isinstance(found, BaseException) else None


def _trace(error: BaseException) -> str:
    described = describe(error)
    frames = [f"  {frame['file']}:{frame['line']} in {frame['function']}" for frame in described["frames"]]
    return "\n".join([*frames, f"  {described['type']}: {described['message']}"])


def _without_source(traceback: str) -> str:
    """Return what `_trace` gives, of the last exception in a written traceback."""
    last = traceback.rpartition(_TRACEBACK)[2]
    told = re.search(r"^\S.*", last, re.MULTILINE | re.DOTALL)  # all else is indented
    frames = [f"  {file}:{line} in {function}" for file, line, function in _FRAME.findall(last)]
    return "\n".join([*frames, f"  {told[0] if told else ''}"])
