"""What this plugin brings: the hook through which others add commands, a view of runs, and diagnostics."""

from typing import TYPE_CHECKING

from penstock.hooks.markers import hookimpl

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pluggy

    from penstock import Flow


@hookimpl
def penstock_add_hookspecs(manager: "pluggy.PluginManager") -> None:
    """Add the hook `penstock_register_commands`."""
    from penstock_cli import hookspecs

    manager.add_hookspecs(hookspecs)


@hookimpl
def penstock_diagnose(flow: "Flow", include_secret_names: bool) -> str:
    """Gather versions, and names of settings, variables and options."""
    from penstock_cli import diagnostics

    return diagnostics.diagnose(flow, include_secret_names=include_secret_names)


@hookimpl
def penstock_show_progress(flow: "Flow") -> "AbstractContextManager[None]":
    """Show a live tree on a terminal, and a line per change elsewhere."""
    from penstock_cli import watching

    return watching.show_progress(flow)
