"""Log records of a worker in another process, which are shown where the run is driven."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

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
            logger.handle(record)


_STRUCTLOGS_OWN: Final = ("_logger", "_name")
"""What marks a record whose message is structlog's dictionary; the one that travels is plain text."""


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
        kept = {name: value for name, value in vars(record).items() if name not in _STRUCTLOGS_OWN}
        travelling = logging.makeLogRecord({**kept, "args": None, "exc_info": None, "msg": _text(record)})
        travelling.task_full_name = context.get("task_full_name")
        records.append(travelling)


def _text(record: logging.LogRecord) -> str:
    event = record.msg.get("event") if isinstance(record.msg, dict) else None
    return str(event) if event is not None else record.getMessage()
