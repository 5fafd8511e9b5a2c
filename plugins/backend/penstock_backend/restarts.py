"""What is done to runs by hand: another attempt that uses what succeeded before, and states that people decide on."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, insert, select, update

from penstock import clock, errors, states
from penstock.backends.models import FlowRun, RestartPlan
from penstock.spec import FlowSpec, TaskSpec
from penstock_backend import runs
from penstock_backend.tables import NOT_MAPPED, AnyRow, flow_versions, task_run_states, task_runs
from penstock_backend.transitions import ENDED, UNDER_WAY, WAITING, Course

REUSED: Final = frozenset({"Success", "Cached", "Mapped", "Skipped"})
_SPEC: Final = select(flow_versions.c.spec).where(flow_versions.c.id == bindparam("version"))
_TASK_RUNS: Final = select(task_runs).where(task_runs.c.flow_run_id == bindparam("run"))
_TASK_RUN: Final = _TASK_RUNS.where(task_runs.c.slug == bindparam("slug"), task_runs.c.map_index == bindparam("index"))
_CHILD: Final = re.compile(r"(.+)\[(\d{1,9})\]", re.DOTALL)


def restart(connection: Connection, run: str, tasks: Collection[str], *, plan_only: bool) -> RestartPlan:
    """Open another attempt of an ended run; raises ConflictError for one that has not ended, UnknownTaskError."""
    row = runs.find(connection, run) if plan_only else runs.find_locked(connection, run)
    if row.state_type not in ENDED:
        paused = (
            f"let it go on: penstock runs approve {row.name}" if row.state_type == "Paused" else "it is to run anyway"
        )
        way = "cancel it first" if row.state_type in UNDER_WAY else paused
        raise errors.ConflictError(f'Run "{row.name}" is {row.state_type}, and only an ended run is restarted; {way}')
    spec = FlowSpec.model_validate(connection.execute(_SPEC, {"version": row.flow_version_id}).scalar_one())
    found = connection.execute(_TASK_RUNS, {"run": row.id}).all()
    split = _Split.of(spec, found, _downstream(spec, _slugs(spec, tasks)))
    if plan_only:
        return RestartPlan(run=runs.record(row), reused=split.reused, again=split.again)
    _reopen(connection, split.rows, row.attempt + 1)
    again = runs.reopen(connection, row, states.Scheduled("Restarted, waiting for an agent", start_time=clock.now()))
    return RestartPlan(run=again, reused=split.reused, again=split.again)


@dataclass(frozen=True, slots=True)
class _Split:
    """How many runs of each task are used again and how many are to be made, and the rows of those that have ended."""

    reused: dict[str, int]
    again: dict[str, int]
    rows: list[AnyRow]

    @classmethod
    def of(cls, spec: FlowSpec, found: Iterable[AnyRow], chosen: Collection[str]) -> "_Split":
        reused, again, rows, known = Counter[str](), Counter[str](), list[AnyRow](), set[str]()
        parameters = {one.name for one in spec.parameters}
        for row in found:
            known.add(row.slug)
            kept = row.state_type in REUSED and row.slug not in chosen
            if not kept and row.state_type in ENDED:
                rows.append(row)
            if row.state_type != "Mapped" and row.slug not in parameters:
                (reused if kept else again)[row.slug] += 1
        never = {task.slug for task in spec.tasks} - known - parameters
        again.update(never)
        return cls(dict(reused), dict(again), rows)


def _slugs(spec: FlowSpec, tasks: Collection[str]) -> set[str]:
    """Return the slugs of the tasks that *tasks* name, by slug or by name; raises UnknownTaskError."""
    slugs = {task.slug for task in spec.tasks}
    named = {task.name: set[str]() for task in spec.tasks}
    for task in spec.tasks:
        named[task.name].add(task.slug)
    chosen = set[str]()
    for one in tasks:
        if one not in slugs and one not in named:
            hint = errors.did_you_mean(one, named) or f" It has {errors.listing(named)}"
            raise errors.UnknownTaskError(f'Flow "{spec.name}" has no task "{one}".{hint}')
        chosen |= {one} if one in slugs else named[one]
    return chosen


def _downstream(spec: FlowSpec, chosen: set[str]) -> set[str]:
    """Return *chosen* and all that depends on it."""
    below: dict[str, set[str]] = {}
    for edge in spec.edges:
        below.setdefault(edge.upstream, set()).add(edge.downstream)
    reached, left = set[str](), list(chosen)
    while left:
        slug = left.pop()
        if slug not in reached:
            reached.add(slug)
            left += below.get(slug, ())
    return reached


def _reopen(connection: Connection, rows: Iterable[AnyRow], attempt: int) -> None:
    pending = states.Pending("To run again").serialize()
    for row in rows:
        _enter(connection, row, pending, attempt)


def _enter(connection: Connection, row: AnyRow, state: Mapping[str, Any], attempt: int) -> None:
    course = runs.course_of(row, "Task run")
    course.enter(state, clock.now(), anew=True)
    columns = {**course.run_columns(), "run_attempt": attempt}
    connection.execute(update(task_runs).where(task_runs.c.id == row.id).values(columns))
    connection.execute(insert(task_run_states), [{"task_run_id": row.id, **entry} for entry in course.added])


# states that people decide on


def set_run_state(connection: Connection, run: str, state: Mapping[str, Any]) -> FlowRun:
    """Bring a run into *state*; raises ConflictError for one that only its process can bring about."""
    row, new = runs.find_locked(connection, run), _state(state)
    if new.type in UNDER_WAY:
        raise errors.ConflictError(f'Run "{row.name}" cannot be set to {new.type}: only its process brings that about')
    if new.type in WAITING and row.state_type in UNDER_WAY:
        hint = f"cancel it first: penstock runs cancel {row.name}"
        raise errors.ConflictError(f'Run "{row.name}" is {row.state_type} on agent {row.agent}; {hint}')
    if row.state_type in ENDED:
        return runs.reopen(connection, row, new)
    return runs.enter(connection, row, new, fence=row.fence + bool(row.fence))


def set_task_state(connection: Connection, run: str, task: str, state: Mapping[str, Any]) -> FlowRun:
    """Bring a task run, `measure` or `measure[3]`, of a run that is not under way into *state*.

    Raises ConflictError for a state that only a process brings about, UnknownTaskError for a task or a child that the
    run has not.
    """
    row, new = runs.find_locked(connection, run), _state(state)
    if row.state_type in UNDER_WAY:
        hint = f"wait until it has ended, or cancel it: penstock runs cancel {row.name}"
        raise errors.ConflictError(f'Run "{row.name}" is {row.state_type} on agent {row.agent}; {hint}')
    if new.type in UNDER_WAY:
        message = f'Task "{task}" of run "{row.name}" cannot be set to {new.type}: only its process brings that about'
        raise errors.ConflictError(message)
    spec = FlowSpec.model_validate(connection.execute(_SPEC, {"version": row.flow_version_id}).scalar_one())
    found = _task_run(connection, row, *_named(spec, task))
    _enter(connection, found, new.serialize() | _by_hand(new), row.attempt)
    return runs.record(row)


def _named(spec: FlowSpec, text: str) -> tuple[TaskSpec, int]:
    """Return the task and the index that *text* names; raises UnknownTaskError.

    A name that ends as a child's does comes first: what takes an item of `rows` is called `rows[0]`.
    """
    child = _CHILD.fullmatch(text)
    whole = any(text in (task.slug, task.name) for task in spec.tasks)
    name, index = (child[1], int(child[2])) if child and not whole else (text, NOT_MAPPED)
    slug, *others = sorted(_slugs(spec, [name]))
    if others:
        raise errors.UnknownTaskError(
            f'{len(others) + 1} tasks are named "{name}"; say which: {slug}, {errors.listing(others)}'
        )
    return next(task for task in spec.tasks if task.slug == slug), index


def _by_hand(new: states.State) -> dict[str, Any]:
    """Return what says of a success that nobody computed that it has no value."""
    return {"empty": True} if new.type in REUSED else {}


def _state(state: Mapping[str, Any]) -> states.State:
    try:
        return states.State.deserialize(state)
    except ValueError as error:
        raise errors.ConflictError(f"{error}.{errors.did_you_mean(str(state.get('type')), states.TYPES)}") from error


def _task_run(connection: Connection, run: AnyRow, task: TaskSpec, index: int) -> AnyRow:
    """Return the row of a task run, made now if it was never heard of; raises UnknownTaskError for a child too many."""
    which = {"run": run.id, "slug": task.slug}
    found = connection.execute(_TASK_RUN, {**which, "index": index}).first()
    if found is not None:
        return found
    if index != NOT_MAPPED:
        _check_child(connection, run, task, index)
    name = task.name if index == NOT_MAPPED else f"{task.name}[{index}]"
    last = select(func.max(task_runs.c.position)).where(task_runs.c.flow_run_id == run.id)
    course = Course(f'Task run "{name}"', type="Pending", data={}, timestamp=clock.now())
    columns = {"id": str(uuid4()), "flow_run_id": run.id, "slug": task.slug, "map_index": index, "name": name}
    position = (connection.execute(last).scalar() or 0) + 1
    connection.execute(insert(task_runs), {**columns, "position": position, **course.run_columns()})
    return connection.execute(_TASK_RUN, {**which, "index": index}).one()


def _check_child(connection: Connection, run: AnyRow, task: TaskSpec, index: int) -> None:
    """Raise UnknownTaskError unless the task was mapped over so much that it has a child of that index."""
    which = {"run": run.id, "slug": task.slug, "index": NOT_MAPPED}
    parent = connection.execute(_TASK_RUN, which).first()
    number = parent.state_data.get("n_map_states", 0) if parent is not None and parent.state_type == "Mapped" else 0
    if index >= number:
        has = f"it has {number}, from {task.name}[0] on" if number else f"it has none; set {task.name} itself"
        raise errors.UnknownTaskError(f'Task "{task.name}" of run "{run.name}" has no child {index}: {has}')
