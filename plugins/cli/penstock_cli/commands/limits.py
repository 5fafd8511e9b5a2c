"""`penstock limits`."""

import click

from penstock.backends.models import Document
from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend

_SCOPE = click.argument("scope", metavar="label|tag", type=click.Choice(["label", "tag"]))


@click.group(cls=Group, examples=["penstock limits set tag gpu 1", "penstock limits list"])
def limits() -> None:
    """Limit how many runs with a label, or tasks with a tag, are under way at once."""


@limits.command("list", backend=True, examples=["penstock limits list", "penstock limits list --json"])
@options.as_json
@options.limit(200)
def list_(*, as_json: bool, limit: int) -> None:
    """List the limits, and how many of their slots are taken now."""
    found = open_backend().list_documents("limit", limit=limit)
    rows = [(one.scope, one.name, str(one.data["slots"]), str(one.data["used"])) for one in found]
    printing.print_records(found, ("FOR", "NAME", "SLOTS", "TAKEN"), rows, as_json=as_json)


@limits.command("set", backend=True, examples=["penstock limits set label database 4", "penstock limits set tag gpu 1"])
@_SCOPE
@click.argument("name")
@click.argument("slots", type=click.IntRange(min=0))
def set_(scope: str, name: str, slots: int) -> None:
    """Let at most SLOTS runs with a label, or tasks with a tag, be under way at once.

    What is under way already goes on. Runs that have begun hear of a new limit of a tag when they begin again.
    """
    kept = open_backend().put_document(Document(kind="limit", scope=scope, name=name, data={"slots": slots}))
    what = "runs with the label" if scope == "label" else "tasks with the tag"
    printing.say(f'At most {slots} {what} "{name}" at once; {kept.data["used"]} are under way')


@limits.command(backend=True, examples="penstock limits delete tag gpu")
@_SCOPE
@click.argument("name")
def delete(scope: str, name: str) -> None:
    """Delete a limit."""
    there = open_backend().delete_document("limit", name, scope)
    printing.say(f'The {scope} "{name}" {"has no limit any more" if there else "had no limit"}')
