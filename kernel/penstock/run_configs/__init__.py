"""How a flow-run process comes to be; `from penstock.run_configs import LocalRun` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.run_configs.base import Launch, RunConfig

if TYPE_CHECKING:
    from penstock_agent import LocalRun as LocalRun
else:
    __getattr__, __dir__ = lookup.attach(__name__, "run_config")

__all__ = ["Launch", "RunConfig"]
