"""`penstock agents`."""

import click

from penstock import clock
from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend


@click.group(cls=Group, examples=["penstock agents list"])
def agents() -> None:
    """List the agents that have asked for work."""


@agents.command("list", backend=True, examples=["penstock agents list", "penstock agents list --json"])
@options.as_json
@options.limit(200)
def list_(*, as_json: bool, limit: int) -> None:
    """List the agents that have asked for work, the last seen first."""
    found = open_backend().list_agents(limit=limit)
    now = clock.now()
    rows = [
        (one.name, ", ".join(one.labels) or None, f"{printing.between(one.last_seen, now)} ago", one.version or None)
        for one in found
    ]
    printing.print_records(found, ("NAME", "LABELS", "SEEN", "VERSION"), rows, as_json=as_json)
