"""What an earlier attempt of a run left: states for the tasks that need not run again."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from penstock import Parameter, errors, states
from penstock.running import result_of
from penstock.states import State
from penstock.tasks.collections import Constant, Gather

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock import Flow, Task
    from penstock.backends import Backend
    from penstock.backends.models import FlowRun, TaskRun
    from penstock.results import Result

EMPTY: Final = "empty"
"""What the data of a success says whose value is None, of which nothing is written."""
_ALL: Final = 1_000_000
_AT_ONCE: Final = 8
"""How many results are read at once."""
_log: Final = logging.getLogger("penstock.agent")


def earlier_states(backend: "Backend", run: "FlowRun", flow: "Flow") -> "dict[Task, State]":
    """Return the states of tasks that succeeded before, with their values, and of those that somebody let go on.

    A result that cannot be read, or differs from what was written, is logged, and its task runs again, as does one of
    which no results are kept. Children of a mapped task are used again if what they were mapped over is what it was.
    """
    tasks = {slug: task for task, slug in flow.slugs.items()}
    found: dict[str, list[TaskRun]] = {}
    for one in backend.list_task_runs(run.id, limit=_ALL):
        found.setdefault(one.slug, []).append(one)
    reader = _Reader(flow, resumes=_was_resumed(backend, run))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="penstock-results") as threads:
        read = {
            tasks[slug]: dict(zip([one.map_index for one in ones], threads.map(reader.state, ones), strict=True))
            for slug, ones in found.items()
            if slug in tasks
        }
    return _known(flow, read)


class _Reader:
    """Makes states of what the backend kept."""

    def __init__(self, flow: "Flow", *, resumes: bool) -> None:
        self._resumes = resumes
        default, _ = result_of(flow)
        self._results: dict[str, Result | None] = {
            slug: (task.options.result or default) if task.options.checkpoint is not False else None
            for task, slug in flow.slugs.items()
        }

    def state(self, run: "TaskRun") -> State | None:
        """Return the state in which the task run need not run again, or goes on; None if it is to run."""
        state = State.deserialize(run.state.data)
        if isinstance(state, states.Paused):
            return states.Resume("Somebody let it go on") if self._resumes else None
        result = self._results[run.slug]
        if isinstance(state, states.Mapped | states.Skipped) or (run.state.data.get(EMPTY) and result is not None):
            return state
        if not state.is_successful() or state.location is None or result is None:
            return None
        try:
            state.result = result.read(state.location)
        except (errors.PenstockError, OSError) as error:
            _log.warning("%s succeeded before, and runs again: %s", run.name, error)
            return None
        return state


def _was_resumed(backend: "Backend", run: "FlowRun") -> bool:
    before = [one.type for one in backend.list_states(run.id)]
    return "Resume" in before[-3:]


def _known(flow: "Flow", read: "Mapping[Task, Mapping[int | None, State | None]]") -> "dict[Task, State]":
    """Return the state of each task that has one, from the top of the flow down, as children follow what is above."""
    known: dict[Task, State] = {}
    steady: set[Task] = set()
    for task in flow.sorted_tasks():
        above = flow.upstream_tasks(task) <= steady
        kept = read.get(task, {})
        if any(index is not None for index in kept):
            if above:
                known[task] = _mapped(kept)
        elif (state := kept.get(None)) is not None:
            known[task] = state
        if task in known or isinstance(task, Parameter | Constant) or (isinstance(task, Gather) and above):
            steady.add(task)
    return known


def _mapped(children: "Mapping[int | None, State | None]") -> State:
    indexes: Iterable[Any] = [index for index in children if index is not None]
    count = max(indexes, default=-1) + 1
    return states.Mapped(map_states=[children.get(index) or states.Pending() for index in range(count)])
