"""What penstock-agent offers."""

from collections.abc import Mapping
from typing import Any

from penstock.hooks.markers import hookimpl


@hookimpl
def penstock_register_run_config() -> Mapping[str, str]:
    """Offer the run config of this host."""
    return {"local": "penstock_agent.local:LocalRun"}


@hookimpl(optionalhook=True)  # there where the command line is installed
def penstock_register_commands(cli: Any) -> None:
    """Add `penstock agent`."""
    cli.add_lazy("agent", "penstock_agent.commands:agent", "The agent: run what is due.")
