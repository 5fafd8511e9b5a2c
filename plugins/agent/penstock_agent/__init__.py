"""The agent: takes due flow runs from a backend, and starts and supervises a process for each."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_agent.agent import Agent as Agent
    from penstock_agent.local import LocalRun as LocalRun

__all__ = ["Agent", "LocalRun"]


def __getattr__(name: str) -> Any:
    """Import a class when it is asked for: loading the plugin stays light."""
    if name == "Agent":
        from penstock_agent.agent import Agent

        return Agent
    if name == "LocalRun":
        from penstock_agent.local import LocalRun

        return LocalRun
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
