"""`penstock version`."""

import platform

import click

import penstock
from penstock_cli.groups import Command


@click.command(cls=Command, examples="penstock version")
def version() -> None:
    """Print the version."""
    click.echo(f"penstock {penstock.__version__} (Python {platform.python_version()})")
