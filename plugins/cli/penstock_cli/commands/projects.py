"""`penstock projects`."""

import click

from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend


@click.group(cls=Group, examples=["penstock projects list", "penstock projects create tutorial"])
def projects() -> None:
    """List, create and delete projects."""


@projects.command("list", backend=True, examples=["penstock projects list", "penstock projects list --json --limit 10"])
@options.as_json
@options.limit(200)
def list_(*, as_json: bool, limit: int) -> None:
    """List the projects by name."""
    found = open_backend().list_projects(limit=limit)
    rows = [(one.name, str(one.flows), printing.moment(one.created), one.description) for one in found]
    printing.print_records(found, ("NAME", "FLOWS", "CREATED", "DESCRIPTION"), rows, as_json=as_json)


@projects.command(backend=True, examples='penstock projects create tutorial --description "first steps"')
@click.argument("name", callback=options.new_project)
@click.option("--description", default="", help="A line about it.")
def create(name: str, description: str) -> None:
    """Create a project; one that is there already stays as it is."""
    backend = open_backend()
    there = any(one.name == name for one in backend.list_projects())
    backend.create_project(name, description)
    printing.say(f'The project "{name}" is there already' if there else f'Created the project "{name}"')


@projects.command(backend=True, examples="penstock projects delete tutorial")
@click.argument("name")
def delete(name: str) -> None:
    """Delete a project that has no flows."""
    open_backend().delete_project(name)
    printing.say(f'Deleted the project "{name}"')
