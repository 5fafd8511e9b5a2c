"""Log records of a worker in another process, which are shown where the run is driven."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from penstock import errors, packing
from penstock.context import context

_records: Final[ContextVar["list[logging.LogRecord] | None"]] = ContextVar("penstock_records", default=None)


@contextmanager
def collected(records: list[logging.LogRecord]) -> Iterator[None]:
    """Collect what is logged under `penstock` inside the block, to be logged where the run is driven.

    What other threads log at the time goes where it went before.
    """
    logger = logging.getLogger("penstock")
    if not any(isinstance(handler, _Collector) for handler in logger.handlers):
        logger.handlers, logger.propagate = [_Collector(logger.handlers, propagate=logger.propagate)], False
    token = _records.set(records)
    try:
        yield
    finally:
        _records.reset(token)


def show(records: list[logging.LogRecord]) -> None:
    """Log collected records here."""
    for record in records:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):  # what a worker let pass may be below the level that holds here
            with context(task_full_name=vars(record).pop("task_full_name")):
                logger.handle(record)


class _Collector(logging.Handler):
    """Keeps records in a form that can travel, with the task they come from."""

    collects: Final = True
    """Nothing else is to show these records: they are shown where the run is driven."""

    def __init__(self, before: list[logging.Handler], *, propagate: bool) -> None:
        super().__init__()
        self._before: list[Any] = [*before, *([logging.getLogger()] if propagate else [])]

    def emit(self, record: logging.LogRecord) -> None:
        records = _records.get()
        if records is None:
            for other in self._before:
                other.handle(record)
            return
        said = record.msg if isinstance(record.msg, dict) else record.getMessage()  # structlog says it with keywords
        fields = {**vars(record), "msg": said, "args": None, "task_full_name": context.get("task_full_name")}
        records.append(logging.makeLogRecord(_portable(fields)))


def _portable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record, or structlog's keywords, as they travel: objects as texts, but for exceptions."""
    return {name: _plain(name, value) for name, value in fields.items()}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _portable(value)
    if name == "exc_info" and value:
        found = value if isinstance(value, tuple | BaseException) else sys.exc_info()
        error = found[1] if isinstance(found, tuple) else found
        return None if error is None else _Raised(error)
    return value if type(value) in {str, int, float, bool, type(None)} else repr(value)


class _Raised(packing.Packed):
    """An exception that becomes, where it is read, what `sys.exc_info` returns."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _exc_info, (packing.Packed(self.exception),)


def _exc_info(error: BaseException | str) -> tuple[Any, ...]:
    error = errors.SerializationError(error) if isinstance(error, str) else error
    return type(error), error, error.__traceback__
