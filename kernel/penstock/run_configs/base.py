"""The run config kind: how a flow-run process comes to be."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from pydantic import Field

from penstock.hooks.kinds import Kind, Labels


@dataclass(frozen=True, slots=True)
class Launch:
    """What a flow-run process needs: `python -m penstock_agent.child` with *message* on its standard input."""

    run_id: str
    message: bytes
    env: Mapping[str, str] = field(default_factory=dict)


class Launched(Protocol):
    """A flow-run process that was started."""

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""

    def terminate(self) -> None:
        """Ask the process and its children to end."""

    def kill(self) -> None:
        """End the process and its children at once."""


class RunConfig(Kind, ABC):
    """Where and in what surroundings the process of a flow run is started."""

    kind: ClassVar[str] = "run_config"

    env: dict[str, str] = Field(default_factory=dict, description="environment variables of the flow-run process")
    labels: Labels = Field(default_factory=set, description="labels an agent must have to take the run")

    @abstractmethod
    def start(self, launch: Launch) -> Launched:
        """Start the process and return it; raises OSError if it cannot be started.

        * `env` goes over *launch.env*, which goes over the surroundings of the agent.
        """
