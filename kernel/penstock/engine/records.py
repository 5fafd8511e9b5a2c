"""Log records of a worker in another process, which are shown where the run is driven."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from penstock.context import context


@contextmanager
def collected(records: list[logging.LogRecord]) -> Iterator[None]:
    """Collect what is logged under `penstock` inside the block, to be logged where the run is driven."""
    logger = logging.getLogger("penstock")
    handlers, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [_Collector(records)], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate


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

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        kept = {name: value for name, value in vars(record).items() if name not in _STRUCTLOGS_OWN}
        travelling = logging.makeLogRecord({**kept, "args": None, "exc_info": None, "msg": _text(record)})
        travelling.task_full_name = context.get("task_full_name")
        self._records.append(travelling)


def _text(record: logging.LogRecord) -> str:
    event = record.msg.get("event") if isinstance(record.msg, dict) else None
    return str(event) if event is not None else record.getMessage()
