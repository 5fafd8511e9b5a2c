"""What a backend hands out and takes in: plain records, as they also appear in `--json` and over HTTP."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """A record: immutable, and tolerant of fields that a newer backend adds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class StateRecord(Record):
    """The state of a run: type, message, and when it was taken up (UTC); `data` is `State.serialize()`."""

    type: str
    message: str | None = None
    timestamp: datetime
    data: dict[str, Any] = Field(default_factory=dict)


class Project(Record):
    """A group of flows."""

    id: str
    name: str
    description: str = ""
    created: datetime
    flows: int = 0


class RegisteredFlow(Record):
    """One version of a registered flow; `spec` is its `FlowSpec` as JSON, `group` what is set for all versions.

    Labels, schedule and defaults of parameters are those that hold: the group's where it has some.
    """

    id: str
    name: str
    project: str
    version: int
    created: datetime
    archived: bool = False
    schedule_active: bool = True
    idempotency_key: str | None = None
    labels: list[str] = Field(default_factory=list)
    schedule: dict[str, Any] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    group: dict[str, Any] = Field(default_factory=dict)
    spec: dict[str, Any] = Field(default_factory=dict)


class Run(Record):
    """What a run of a flow and one of a task have in common."""

    id: str
    name: str
    state: StateRecord
    attempt: int = 1
    start_time: datetime | None = None
    end_time: datetime | None = None


class FlowRun(Run):
    """One run of a registered flow, over all its attempts; it is late if it should have begun and did not."""

    project: str
    flow: str
    version: int
    parameters: dict[str, Any] = Field(default_factory=dict)
    labels: list[str] = Field(default_factory=list)
    scheduled_time: datetime | None = None
    agent: str | None = None
    parent: str | None = None
    executor: dict[str, Any] | None = None
    late: bool = False


class RestartPlan(Record):
    """What another attempt does: how many runs of which task, by slug, are used again, and how many made again."""

    run: FlowRun
    reused: dict[str, int] = Field(default_factory=dict)
    again: dict[str, int] = Field(default_factory=dict)


class TaskRun(Run):
    """One run of a task, or of one mapped child of it, in a flow run."""

    flow_run: str
    slug: str
    map_index: int | None = None


class Log(Record):
    """A line that a run logged; `sequence` counts from 1 within an attempt."""

    sequence: int
    attempt: int = 1
    timestamp: datetime
    level: str
    logger: str
    message: str
    task: str | None = None


class Document(Record):
    """A JSON object that somebody left with a backend, found by *kind*, *scope* and *name*.

    Kinds that penstock knows, whose `data` is checked:

    * `flow-group`: what is set for all versions of a flow, in place of what is registered; the scope is the project.
    * `limit`: how many runs with a label, or tasks with a tag, may be under way at once (`slots`; read back, `used`
      too); the scope is `label` or `tag`.
    * `value`: an entry of the key-value store (`value`); it has no scope.
    * `artifact`: what a flow made for people to look at; the scope is the run, by id, with which it is deleted.
    * `note`: what somebody wrote about a run (`text`); the scope is the run.

    All others belong to whoever makes them up, and are kept as they are.
    """

    kind: str
    name: str
    scope: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    updated: datetime | None = None


class Agent(Record):
    """An agent that has asked for work."""

    id: str
    name: str
    labels: list[str] = Field(default_factory=list)
    last_seen: datetime
    version: str = ""


class Claim(Record):
    """A run that an agent may start now, and alone, as long as it renews the lease under *fence*."""

    run: FlowRun
    fence: int
    lease_expires: datetime
    spec: dict[str, Any]


class Heartbeat(Record):
    """The answer to a heartbeat: until when the lease holds, and what the agent is asked to do."""

    lease_expires: datetime
    command: Literal["continue", "cancel"] = "continue"


class StateReport(BaseModel, extra="forbid"):
    """A state to take up: of the flow run if `slug` is None, else of that task or mapped child.

    A report of Running with `tags` asks for a slot of each that is limited.
    """

    state: dict[str, Any]
    timestamp: datetime
    slug: str | None = None
    name: str | None = None
    map_index: int | None = None
    attempt: int = 1
    tags: list[str] = Field(default_factory=list)
