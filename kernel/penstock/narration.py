"""What penstock itself says of a run, a log line for each change of state; an observer like any other."""

import logging
import sys
from typing import TYPE_CHECKING

from penstock import settings
from penstock.engine.runs import FlowRun, TaskRun
from penstock.hooks import calls
from penstock.states import State

if TYPE_CHECKING:
    from penstock.hooks.calls import FlowObserver, TaskObserver


def observers(*, watched: bool) -> "tuple[list[TaskObserver], list[FlowObserver]]":
    """Return who narrates a run: if somebody wants to read it, or only failures where it is *watched* anyhow.

    Where neither is so, logs are not even set up: structlog takes as long to import as the rest of a small run.
    """
    quiet = logging.getLevelNamesMapping()[settings.get().logging.level] > logging.INFO
    if quiet and not watched and "penstock.logs" not in sys.modules:
        return [], []
    from penstock import logs

    logs.configure(calls.log_processors())
    logger = logging.getLogger(logs.NARRATION)
    if logger.isEnabledFor(logging.INFO):
        return [tell_of_task], [tell_of_flow]
    return ([tell_of_failure], []) if watched and logger.isEnabledFor(logging.ERROR) else ([], [])


def tell_of_flow(run: FlowRun, old: State, new: State) -> None:  # noqa: ARG001 - an observer's signature
    """Log the beginning and the end of a flow run."""
    from penstock import logs

    logger = logs.get_logger(logs.NARRATION)
    if new.is_running() and new.result is None:
        logger.info("Beginning flow run for %r", run.flow_name)
    else:
        logger.info("Flow run %s: %s", new.type.upper(), new.message)


def tell_of_failure(run: TaskRun, old: State, new: State) -> None:
    """Log that a task run has failed."""
    if new.is_failed():
        tell_of_task(run, old, new)


def tell_of_task(run: TaskRun, old: State, new: State) -> None:  # noqa: ARG001 - an observer's signature
    """Log what a task run has come to."""
    from penstock import logs

    logger = logs.get_logger(logs.NARRATION).bind(task=run.name)
    if new.is_running():
        logger.info("Task %r: starting", run.name)
    elif new.is_failed() and isinstance(new.result, Exception):
        logger.error("Task %r: %s", run.name, new.message, exc_info=new.result)
    else:
        logger.info("Task %r: %s", run.name, new.type if new.is_successful() else f"{new.type}: {new.message}")
