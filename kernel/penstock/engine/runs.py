"""What a run is to those who are told about it: a flow run, and the task runs in it."""

import uuid
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False, repr=False)
class FlowRun:
    """One run of a flow: its id and name, the flow's name, the parameters, and the attempt, which counts from 1."""

    flow_name: str
    parameters: dict[str, Any]
    id: str = ""
    name: str = ""
    attempt: int = 1

    def __post_init__(self) -> None:
        """Make an id unless one is given; a run without a name is called what its flow is."""
        self.id = self.id or str(uuid.uuid4())
        self.name = self.name or self.flow_name

    def __repr__(self) -> str:
        """Show flow and name."""
        return f"<FlowRun: {self.name} of {self.flow_name}>"


@dataclass(slots=True, eq=False, repr=False)
class TaskRun:
    """One run of a task or of a mapped child: its flow run, the task's slug and name, and the attempt, from 1.

    `name` is what people see: what the task's `task_run_name` gave, or its name, with the index for a child:
    `measure[3]`.
    """

    flow_run: FlowRun
    task_name: str
    slug: str
    tags: frozenset[str]
    map_index: int | None
    attempt: int = 1
    given_name: str | None = None

    @property
    def name(self) -> str:
        """The name it was given, or the task's, with the index of a mapped child."""
        if self.given_name is not None:
            return self.given_name
        return self.task_name if self.map_index is None else f"{self.task_name}[{self.map_index}]"

    def __repr__(self) -> str:
        """Show the name."""
        return f"<TaskRun: {self.name}>"
