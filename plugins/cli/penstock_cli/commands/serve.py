"""`penstock serve`."""

import signal
import threading
from typing import TYPE_CHECKING, Protocol

import click

from penstock_cli import flow_files, printing
from penstock_cli.groups import Command

if TYPE_CHECKING:
    from penstock import Flow


class RunsFlows(Protocol):
    """A scheduler that runs flows itself."""

    def add_flow(self, flow: "Flow") -> None:
        """Take up a flow; raises ScheduleError if it has no schedule."""

    def run(self, stop: threading.Event) -> None:
        """Run flows when they are due, until *stop* is set."""


@click.command(cls=Command, examples=["penstock serve flows.py", "penstock serve flows.py:census flows.py:weather"])
@click.argument("targets", metavar="FILE[:FLOW]…", nargs=-1, required=True)
def serve(targets: tuple[str, ...]) -> None:
    """Run flows on their schedules, in this process.

    A file, or a folder of files, stands for all flows in it that have a schedule. It goes on until it is interrupted; a
    run that is under way then ends first.
    """
    from penstock.schedulers import Scheduler

    flows = [flow for target in targets for flow in _scheduled(target)]
    scheduler: RunsFlows = Scheduler.resolve("local")  # type: ignore[assignment]  # the one of this type takes flows
    for flow in flows:
        scheduler.add_flow(flow)
        times = flow.schedule.next(1) if flow.schedule is not None else []
        printing.say(f"{flow.name}  next {printing.moment(times[0] if times else None)}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # on a thread, as the handler may come while this one has the event's lock
        signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
    scheduler.run(stop)


def _scheduled(target: str) -> "list[Flow]":
    """Return the flow that *target* names, or those of its file that have a schedule."""
    path, name = flow_files.split(target)
    found = flow_files.load_all(path).values() if name is None else ()
    scheduled = [flow_files.checked(flow) for flow in found if flow.schedule is not None]
    return scheduled or [flow_files.load_one(target)]
