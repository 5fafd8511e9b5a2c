"""Tasks that pause themselves."""

from datetime import timedelta

import pytest

from penstock import Flow, clock, context, signals, task
from penstock.states import Paused
from penstock_tasks import pause_task


def test_a_task_pauses_itself_until_it_is_resumed() -> None:
    with pytest.raises(signals.PAUSE, match="look first") as caught:
        pause_task("look first", duration=timedelta(hours=1))
    until = caught.value.state.start_time  # type: ignore[attr-defined]
    assert timedelta(minutes=59) < until - clock.now() <= timedelta(hours=1)
    with context(resume=True):
        pause_task()

    @task
    def careful() -> None:
        pause_task()

    with Flow("pausing") as flow:
        paused = careful()
    state = flow.run().result[paused]
    assert isinstance(state, Paused)
    assert state.start_time is None
