"""Logs: structlog over the standard library's handlers.

A script sees readable lines on a terminal and one JSON object a line elsewhere, unless the program has set up
logging itself: then penstock's records go through the handlers that are there. Handlers that are set up after the
first record belong on the logger `penstock`, as its records go no further then.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import structlog
from structlog import stdlib

from penstock import redaction, settings
from penstock.context import context

ROOT: Final = "penstock"
NARRATION: Final = "penstock.narration"
"""The logger of what penstock itself says of each change of state; what flows log comes from others."""
_lock: Final = threading.Lock()
_processors: Final[list[Any]] = []


class _Handler(logging.StreamHandler[Any]):
    """Writes to whatever standard error is at the time, so that it may be redirected later."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def add_run(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the flow run and the task that a record comes from; a structlog processor."""
    for key, name in (("flow_run", "flow_run_name"), ("task", "task_full_name")):
        if (value := context.get(name)) is not None:
            event.setdefault(key, value)
    return event


def spread_extra(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take the standard library's `extra={...}` for keywords; a structlog processor."""
    if isinstance(event.get("extra"), Mapping):
        event.update(event.pop("extra"))
    return event


def fill_in(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put positional arguments into the text; where they do not fit, both stay as they are; a structlog processor."""
    with suppress(Exception):  # a slip in a call for the log ends no task
        return stdlib.PositionalArgumentsFormatter()(logger, method, event)
    return event


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take the values of secrets out of a record and its exception; a structlog processor."""
    if not redaction.known():
        return event
    event = structlog.processors.format_exc_info(logger, method, event)
    event.update({key: redaction.hidden(value) for key, value in event.items() if not key.startswith("_")})
    return event


def configure(processors: Iterable[Callable[..., Any]] = (), *, force: bool = False) -> None:
    """Set up penstock's loggers, and a handler on standard error unless the program has handlers of its own.

    Structlog's other loggers do as these, unless the program has configured them. Does nothing the second time, unless
    *force*. *processors* are called with every record after the kernel's own.
    """
    root = logging.getLogger(ROOT)
    with _lock:
        if _processors and not force:
            return
        for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
            root.removeHandler(handler)
            root.propagate = True
        root.setLevel(settings.get().logging.level)
        shared: list[Any] = [
            stdlib.add_log_level, stdlib.add_logger_name, stdlib.ExtraAdder(), spread_extra, fill_in,
            structlog.processors.TimeStamper(fmt="iso", utc=True), add_run, *processors, hide_secrets,
        ]  # fmt: skip
        _processors[:] = [stdlib.filter_by_level, *shared, stdlib.ProcessorFormatter.wrap_for_formatter]
        if not structlog.is_configured():  # by the program, whose own loggers are its own affair
            factory = stdlib.LoggerFactory()
            structlog.configure(_processors, stdlib.BoundLogger, dict, factory, cache_logger_on_first_use=True)
        collected = any(getattr(handler, "collects", False) for handler in root.handlers)
        if not (collected or logging.getLogger().handlers):
            root.addHandler(_make_handler(shared))
            root.propagate = False  # a single logging.warning() gives the root a handler, which would show all again


def _make_handler(shared: list[Any]) -> _Handler:
    handler = _Handler()
    shown = [stdlib.ProcessorFormatter.remove_processors_meta, *_renderers()]
    handler.setFormatter(stdlib.ProcessorFormatter(processors=shown, foreign_pre_chain=shared))
    return handler


def _renderers() -> list[Any]:
    form = settings.get().logging.format
    if form == "console" or (form == "auto" and sys.stderr.isatty()):
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=40)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def get_logger(name: str = ROOT) -> stdlib.BoundLogger:
    """Return a logger that takes both the standard library's arguments and structlog's keywords."""
    configure()
    lazy = structlog.wrap_logger(logging.getLogger(name), _processors, stdlib.BoundLogger, dict)
    logger: stdlib.BoundLogger = lazy.bind()
    return logger


def task_logger() -> stdlib.BoundLogger:
    """Return the logger of the task this is called in, or of the run if it is in no task."""
    name = context.get("task_name")
    return get_logger(f"{ROOT}.task.{name}" if name else f"{ROOT}.flow")


@contextmanager
def narrating(level: int) -> Iterator[None]:
    """Let penstock say nothing below *level* of the runs inside the block; what flows log is not concerned."""
    logger = logging.getLogger(NARRATION)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
