"""`penstock completion`."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from penstock_cli.groups import Command

_VARIABLE: Final = "_PENSTOCK_COMPLETE"


@click.command(
    cls=Command,
    examples=[
        'eval "$(penstock completion bash)"                                    # in ~/.bashrc',
        'eval "$(penstock completion zsh)"                                     # in ~/.zshrc',
        "penstock completion fish > ~/.config/fish/completions/penstock.fish",
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands."""
    found = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if found is not None:
        click.echo(found(root, {}, "penstock", _VARIABLE).source())
