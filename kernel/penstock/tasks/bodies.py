"""What a task's body may call."""

from datetime import timedelta

from penstock import clock, signals
from penstock.context import context


def pause_task(message: str | None = None, duration: timedelta | None = None) -> None:
    """Pause the task that calls this until it is resumed, for *duration* at most; once it is resumed, do nothing.

    The whole body runs again then. Raises the signal PAUSE.
    """
    if context.get("resume"):
        return
    until = clock.now() + duration if duration is not None else None
    raise signals.PAUSE(message or "The task paused itself.", start_time=until)
