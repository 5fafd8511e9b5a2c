"""The hook that the command line brings: other plugins add their commands."""

from typing import TYPE_CHECKING

from penstock.hooks.markers import hookspec

if TYPE_CHECKING:
    from penstock_cli.groups import Group


@hookspec
def penstock_register_commands(cli: "Group") -> None:
    """Add commands to *cli*, the click group behind `penstock`.

    `cli.add_lazy("agent", "acme_penstock.commands:agent", "Run what is due.")` imports the command when it is
    called; `cli.add_command(command)` takes one that is there. Called when a command is asked for that penstock
    itself does not have, and when commands are listed.
    """
