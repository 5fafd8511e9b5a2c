"""What penstock itself says of a run, a log line for each change of state; an observer like any other."""

import logging
import sys

from penstock import settings
from penstock.engine.runs import FlowRun, TaskRun
from penstock.hooks import calls
from penstock.states import State


def is_wanted(*, watched: bool) -> bool:
    """Return whether to narrate a run: if somebody wants to read it, or only failures where it is *watched* anyhow.

    Where neither is so, logs are not even set up: structlog takes as long to import as the rest of a small run.
    """
    quiet = logging.getLevelNamesMapping()[settings.get().logging.level] > logging.INFO
    if quiet and not watched and "penstock.logs" not in sys.modules:
        return False
    from penstock import logs

    logs.configure(calls.log_processors())
    logger = logging.getLogger(logs.NARRATION)
    return logger.isEnabledFor(logging.INFO) or (watched and logger.isEnabledFor(logging.ERROR))


def tell_of_flow(run: FlowRun, old: State, new: State) -> None:  # noqa: ARG001 - an observer's signature
    """Log the beginning and the end of a flow run."""
    from penstock import logs

    logger = logs.get_logger(logs.NARRATION)
    if new.is_running() and new.result is None:
        logger.info("Beginning flow run for %r", run.flow_name)
    else:
        logger.info("Flow run %s: %s", new.type.upper(), new.message)


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
