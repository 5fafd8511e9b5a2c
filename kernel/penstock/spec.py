"""A flow as metadata: everything a backend may know of it, and nothing of its code or its values."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic import Field

from penstock.backends.models import Record
from penstock.hooks.kinds import KindSpec
from penstock.parameters import check_names


class TaskSpec(Record):
    """A task: its slug, which is unique in the flow, and its options; times in seconds, functions by dotted name."""

    slug: str
    name: str
    type: str
    tags: list[str] = Field(default_factory=list)
    max_retries: int = 0
    retry_delay: float | list[float] | str | None = None
    timeout: float | None = None
    cache_for: float | None = None
    trigger: str = "penstock.triggers.all_successful"
    skip_on_upstream_skip: bool = True
    mapped: bool = False


class EdgeSpec(Record):
    """A dependency between two tasks, named by slug; with a *key*, the upstream's value becomes that input."""

    upstream: str
    downstream: str
    key: str | None = None
    mapped: bool = False
    flattened: bool = False


class ParameterSpec(Record):
    """A parameter of a flow: its default as JSON, and the JSON schema of its type if it has one."""

    name: str
    required: bool = True
    default: Any = None
    json_schema: dict[str, Any] | None = None


class FlowSpec(Record):
    """A flow: what is registered, stored, shown and passed on."""

    name: str
    tasks: list[TaskSpec] = Field(default_factory=list)
    edges: list[EdgeSpec] = Field(default_factory=list)
    parameters: list[ParameterSpec] = Field(default_factory=list)
    reference_tasks: list[str] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    schedule: KindSpec | None = None
    storage: KindSpec | None = None
    executor: KindSpec | None = None
    run_config: KindSpec | None = None
    result: KindSpec | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    def digest(self) -> str:
        """Return the SHA-256 of the metadata as sorted JSON: equal for equal flows."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    def check_parameters(self, given: Mapping[str, Any]) -> None:
        """Raise ParameterError if *given* lacks a required parameter or names an unknown one."""
        check_names(self.name, {parameter.name: parameter for parameter in self.parameters}, given, "-p {}=VALUE")
