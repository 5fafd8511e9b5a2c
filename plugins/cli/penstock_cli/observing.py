"""What the kernel tells of a run in this process, as changes for a display."""

from typing import TYPE_CHECKING

from penstock import clock
from penstock.hooks.markers import hookimpl
from penstock_cli import printing
from penstock_cli.display import Display
from penstock_cli.progress import Change, Widths

if TYPE_CHECKING:
    from penstock.engine.runs import FlowRun, TaskRun
    from penstock.states import State


class Observer:
    """A plugin of this process only, which hands every change of state to a display."""

    def __init__(self, display: Display, widths: Widths, flow_name: str) -> None:
        """Tell *display* of the first run of the flow that begins, and *widths* what its tasks have returned."""
        self._display = display
        self._widths = widths
        self._flow_name = flow_name
        self._run_id: str | None = None

    def _is_meant(self, run: "FlowRun") -> bool:
        if self._run_id is None and run.flow_name == self._flow_name:
            self._run_id = run.id
        return run.id == self._run_id

    @hookimpl
    def penstock_flow_run_state(self, run: "FlowRun", new: "State") -> None:
        """Tell of the flow run."""
        if not self._is_meant(run):
            return
        if new.is_running():
            for name, value in run.parameters.items():
                self._widths.take(name, value)
        self._show(Change(new, clock.now()))

    @hookimpl
    def penstock_task_run_state(self, run: "TaskRun", new: "State") -> None:
        """Tell of a task run."""
        if not self._is_meant(run.flow_run):
            return
        if run.map_index is None and new.is_successful():
            self._widths.take(run.slug, new.result)
        self._show(Change(new, clock.now(), run.slug, run.task_name, run.map_index, run.attempt))

    def _show(self, change: Change) -> None:
        """Show a change; the run goes on where nobody reads what is shown any more, as behind `| head`."""
        try:
            self._display.take(change)
        except BrokenPipeError:
            printing.write_nowhere()
