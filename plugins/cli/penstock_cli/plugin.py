"""What this plugin brings: the hook through which other plugins add commands."""

from typing import TYPE_CHECKING

from penstock.hooks.markers import hookimpl

if TYPE_CHECKING:
    import pluggy


@hookimpl
def penstock_add_hookspecs(manager: "pluggy.PluginManager") -> None:
    """Add the hook `penstock_register_commands`."""
    from penstock_cli import hookspecs

    manager.add_hookspecs(hookspecs)
