"""What a run is to those who are told about it: a flow run, and the task runs in it."""

import uuid
from typing import Any


class FlowRun:
    """One run of a flow: its id and name, the flow's name, the parameters, and the attempt, which counts from 1."""

    __slots__ = ("attempt", "flow_name", "id", "name", "parameters")

    def __init__(
        self,
        flow_name: str,
        parameters: dict[str, Any],
        run_id: str | None = None,
        name: str | None = None,
        attempt: int = 1,
    ) -> None:
        """Make a run, with a new id unless one is given."""
        self.id: str = run_id or str(uuid.uuid4())
        self.flow_name: str = flow_name
        self.name: str = name or flow_name
        self.parameters: dict[str, Any] = parameters
        self.attempt: int = attempt

    def __repr__(self) -> str:
        """Show flow and name."""
        return f"<FlowRun: {self.name} of {self.flow_name}>"


class TaskRun:
    """One run of a task or of a mapped child: its flow run, the task's slug and name, and the attempt, from 1.

    `name` is what people see: what the task's `task_run_name` gave, or its name, with the index for a child:
    `measure[3]`.
    """

    __slots__ = ("_name", "attempt", "flow_run", "map_index", "slug", "tags", "task_name")

    def __init__(
        self,
        flow_run: FlowRun,
        task_name: str,
        slug: str,
        tags: frozenset[str],
        map_index: int | None,
        attempt: int = 1,
        name: str | None = None,
    ) -> None:
        """Make a task run."""
        self._name = name
        self.flow_run: FlowRun = flow_run
        self.task_name: str = task_name
        self.slug: str = slug
        self.tags: frozenset[str] = tags
        self.map_index: int | None = map_index
        self.attempt: int = attempt

    @property
    def name(self) -> str:
        """The name it was given, or the task's, with the index of a mapped child."""
        if self._name is not None:
            return self._name
        return self.task_name if self.map_index is None else f"{self.task_name}[{self.map_index}]"

    def __repr__(self) -> str:
        """Show the name."""
        return f"<TaskRun: {self.name}>"
