"""What flow-run processes report: states of the run and of its task runs, and log lines."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, insert, select, update

from penstock.backends.models import Log, StateReport
from penstock_backend import runs, slots
from penstock_backend.tables import NOT_MAPPED, AnyRow, logs, task_run_states, task_runs
from penstock_backend.transitions import Course

_Key = tuple[str, int]

# made once: to make a statement takes longer than to execute it
_OF_RUN: Final = select(task_runs).where(task_runs.c.flow_run_id == bindparam("run"))
_ONE: Final = _OF_RUN.where(task_runs.c.slug == bindparam("slug"), task_runs.c.map_index == bindparam("index"))
_NEAR: Final = _OF_RUN.where(
    task_runs.c.slug.in_(bindparam("slugs", expanding=True)),
    task_runs.c.map_index.in_(bindparam("indexes", expanding=True)),
)
"""Two IN conditions, unlike one on pairs, let the database use its index."""
_LAST_TASK: Final = select(func.max(task_runs.c.position)).where(task_runs.c.flow_run_id == bindparam("run"))
_LAST_LINE: Final = select(func.max(logs.c.position)).where(logs.c.flow_run_id == bindparam("run"))
_KNOWN_LINES: Final = select(logs.c.attempt, logs.c.sequence).where(
    logs.c.flow_run_id == bindparam("run"),
    logs.c.fence == bindparam("of_fence"),
    logs.c.sequence.between(bindparam("first"), bindparam("last")),
)
_CHANGE_TASK: Final = update(task_runs).where(task_runs.c.id == bindparam("changed"))
_ADD_TASKS, _ADD_STATES, _ADD_LINES = insert(task_runs), insert(task_run_states), insert(logs)


def take_states(connection: Connection, row: AnyRow, reports: Sequence[StateReport]) -> None:
    """Take up states of the run of *row* and of its task runs, in order; raises ConflictError."""
    tasks = _Tasks(connection, row.id, {_key(report) for report in reports if report.slug is not None})
    flow = runs.course_of(row)
    for report in reports:
        if report.slug is None:
            flow.enter(report.state, report.timestamp)
        else:
            course, anew = tasks.course(report), tasks.begins_anew(report, row.attempt)
            if course.enter(report.state, report.timestamp, report.attempt, anew=anew) and report.tags:
                tasks.take_slots(report)
    tasks.store()
    if flow.added:
        runs.store(connection, row, flow)


def take_logs(connection: Connection, run_id: str, fence: int, lines: Sequence[Log]) -> None:
    """Keep the lines that are not there yet, at the next positions of the run; each lease counts its own."""
    known = _known(connection, run_id, fence, lines)
    new = {(line.attempt, line.sequence): line for line in lines if (line.attempt, line.sequence) not in known}
    if not new:
        return
    last = connection.execute(_LAST_LINE, {"run": run_id}).scalar() or 0
    rows = [
        {"flow_run_id": run_id, "fence": fence, "position": position, **line.model_dump()}
        for position, line in enumerate(new.values(), start=last + 1)
    ]
    connection.execute(_ADD_LINES, rows)


def _known(connection: Connection, run_id: str, fence: int, lines: Sequence[Log]) -> set[tuple[int, int]]:
    if not lines:
        return set()
    sequences = [line.sequence for line in lines]
    which = {"run": run_id, "of_fence": fence, "first": min(sequences), "last": max(sequences)}
    found = connection.execute(_KNOWN_LINES, which)
    return {(row.attempt, row.sequence) for row in found}


class _Tasks:
    """The task runs that a batch of reports is about: read once, changed in memory, written once."""

    def __init__(self, connection: Connection, run_id: str, keys: set[_Key]) -> None:
        self._connection = connection
        self._run_id = run_id
        self._ids: dict[_Key, str] = {}
        self._courses: dict[_Key, Course] = {}
        self._attempts: dict[_Key, int] = {}
        self._new: dict[_Key, dict[str, Any]] = {}
        self._tags: dict[_Key, list[str] | None] = {}
        for row in self._rows(keys):
            key = (row.slug, row.map_index)
            self._ids[key] = row.id
            self._attempts[key] = row.run_attempt
            self._courses[key] = runs.course_of(row, "Task run")
            self._tags[key] = row.tags

    def course(self, report: StateReport) -> Course:
        """Return where the task run of *report* is, noting it if it is first heard of here."""
        key = _key(report)
        if key not in self._courses:
            name = report.name or key[0]
            self._ids[key] = str(uuid4())
            self._new[key] = {"slug": key[0], "map_index": key[1], "name": name, "flow_run_id": self._run_id}
            self._courses[key] = Course(f'Task run "{name}"')
        return self._courses[key]

    def begins_anew(self, report: StateReport, attempt: int) -> bool:
        """Return whether this is the first that the task run says in this *attempt* of its flow run, and note it."""
        before, self._attempts[_key(report)] = self._attempts.get(_key(report), attempt), attempt
        return before < attempt

    def take_slots(self, report: StateReport) -> None:
        """Let the task run hold slots of its tags until it has ended; raises LimitReachedError."""
        slots.refuse_full(self._connection, report.tags, report.name or report.slug or "")
        self._tags[_key(report)] = sorted(report.tags)

    def store(self) -> None:
        """Write what changed."""
        self._insert()
        changed = [
            {"changed": self._ids[key], "run_attempt": self._attempts[key], "tags": self._held(key)}
            | course.run_columns()
            for key, course in self._courses.items()
            if course.added and key not in self._new
        ]
        if changed:
            self._connection.execute(_CHANGE_TASK, changed)
        entries = [
            {"task_run_id": self._ids[key], **entry} for key, course in self._courses.items() for entry in course.added
        ]
        if entries:
            self._connection.execute(_ADD_STATES, entries)

    def _held(self, key: _Key) -> list[str] | None:
        return self._tags.get(key) if self._courses[key].type == "Running" else None

    def _insert(self) -> None:
        if not self._new:
            return
        last = self._connection.execute(_LAST_TASK, {"run": self._run_id}).scalar() or 0
        rows = [
            {"id": self._ids[key], "position": position, "run_attempt": self._attempts[key], "tags": self._held(key)}
            | {**row, **self._courses[key].run_columns()}
            for position, (key, row) in enumerate(self._new.items(), start=last + 1)
        ]
        self._connection.execute(_ADD_TASKS, rows)

    def _rows(self, keys: set[_Key]) -> Iterable[AnyRow]:
        if len(keys) <= 1:
            found = [{"run": self._run_id, "slug": slug, "index": index} for slug, index in keys]
            return [row for one in found for row in self._connection.execute(_ONE, one)]
        near = {"slugs": [*{slug for slug, _ in keys}], "indexes": [*{index for _, index in keys}]}
        rows = self._connection.execute(_NEAR, {"run": self._run_id, **near})
        return [row for row in rows if (row.slug, row.map_index) in keys]


def _key(report: StateReport) -> _Key:
    return report.slug or "", NOT_MAPPED if report.map_index is None else report.map_index
