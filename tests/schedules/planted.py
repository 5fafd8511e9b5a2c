"""Schedules and schedulers with a fault, which the judges have to find."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from penstock.schedules import CronSchedule
from penstock_backend import schedules

_numbers = itertools.count()


def forgetting(cron: str, **options: Any) -> CronSchedule:
    """Return a schedule that leaves out what clocks skip."""
    return CronSchedule(cron, **{**options, "gap": "skip"})


class Unknown(schedules.Due):
    """A time that no scheduler knows again."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.columns["clock"] = f"{next(_numbers)}"


@contextmanager
def repeating() -> Iterator[None]:
    """Let schedulers make runs that there are."""
    with patch.object(schedules, "Due", Unknown):
        yield
