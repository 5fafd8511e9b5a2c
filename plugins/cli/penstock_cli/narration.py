"""penstock's own log lines beside a display that already shows what they would say."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from penstock import logs
from penstock.context import context
from penstock.hooks import calls

_NEVER: Final = logging.CRITICAL + 1
_STANDARD: Final = ("event", "level", "logger", "timestamp", "task", "flow_run", "exc_info")


@contextmanager
def without_narration(*, brief: bool) -> Iterator[None]:
    """Leave out what penstock itself says of each change of state; tasks' own lines are shown, short if *brief*.

    Where another level than INFO was asked for, that is what is shown.
    """
    logs.configure(calls.log_processors())
    root = logging.getLogger(logs.ROOT)
    formatters = [(handler, handler.formatter) for handler in root.handlers]
    for handler, _ in formatters if brief else ():
        handler.setFormatter(Brief())
    try:
        with logs.narrating(_NEVER if root.level == logging.INFO else logging.NOTSET):
            yield
    finally:
        for handler, formatter in formatters:
            handler.setFormatter(formatter)


class Brief(logging.Formatter):
    """Formats a record for somebody who watches the run: the task, and what it says."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `  measure[3]  parsed 384 lines`."""
        fields: dict[str, Any] = record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()}
        task = fields.get("task") or getattr(record, "task_full_name", None) or context.get("task_full_name")
        level = f"{record.levelname}  " if record.levelno != logging.INFO else ""
        more = "".join(f"  {key}={value}" for key, value in fields.items() if key not in _STANDARD and key[0] != "_")
        line = f"  {task}  {level}{fields['event']}{more}" if task else f"  {level}{fields['event']}{more}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
