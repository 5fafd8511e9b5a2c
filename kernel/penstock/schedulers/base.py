"""The scheduler kind: who acts on schedules."""

import threading
from abc import ABC, abstractmethod
from typing import ClassVar

from penstock.hooks.kinds import Kind


class Scheduler(Kind, ABC):
    """A loop that turns schedules into runs."""

    kind: ClassVar[str] = "scheduler"

    @abstractmethod
    def run(self, stop: threading.Event) -> None:
        """Act on schedules until *stop* is set or nothing is left to do.

        * Returns soon after *stop* is set, with nothing half done.
        * Any number of schedulers over one backend create each due run once.
        """
