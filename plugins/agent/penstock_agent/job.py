"""What an agent hands to the process of a flow run."""

from pydantic import BaseModel, ConfigDict

from penstock.backends.models import Claim
from penstock.hooks.kinds import KindSpec


class Job(BaseModel):
    """A claimed run, the backend to report to, and how often its lease is renewed (seconds)."""

    model_config = ConfigDict(frozen=True)

    claim: Claim
    backend: KindSpec
    lease_seconds: float = 30.0
    heartbeat_seconds: float = 10.0
    show_logs: bool = False
    agent: int = 0
    """The process that sends what this one notes, as long as it lives and does so; 0 if none does."""


class Surroundings(BaseModel):
    """Where a process that was started in advance goes on: variables to add, and the folder to work in."""

    model_config = ConfigDict(frozen=True)

    env: dict[str, str]
    folder: str
