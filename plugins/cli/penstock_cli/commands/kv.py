"""`penstock kv`."""

import textwrap
from typing import Any, Final

import click

from penstock import errors
from penstock.backends.models import Document
from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend

_SHOWN: Final = 60


@click.group(cls=Group, examples=["penstock kv set cursor 42", "penstock kv get cursor"])
def kv() -> None:
    """Read and write the key-value store that flows share."""


@kv.command("list", backend=True, examples=["penstock kv list", "penstock kv list --json"])
@options.as_json
@options.limit(200)
def list_(*, as_json: bool, limit: int) -> None:
    """List the keys, and the beginning of each value."""
    found = open_backend().list_documents("value", limit=limit)
    rows = [(one.name, _brief(one.data["value"]), printing.moment(one.updated)) for one in found]
    printing.print_records(found, ("KEY", "VALUE", "SET"), rows, as_json=as_json)


@kv.command(backend=True, examples="penstock kv get cursor")
@click.argument("key")
def get(key: str) -> None:
    """Print the value of KEY as JSON."""
    found = open_backend().list_documents("value", name=key)
    if not found:
        known = [one.name for one in open_backend().list_documents("value")]
        hint = errors.did_you_mean(key, known) or " List the keys: penstock kv list"
        raise errors.DocumentError(f'The key-value store has no key "{key}".{hint}')
    printing.print_json(found[0].data["value"])


@kv.command("set", backend=True, examples=["penstock kv set cursor 42", 'penstock kv set owner \'{"name": "ann"}\''])
@click.argument("key")
@click.argument("value")
def set_(key: str, value: str) -> None:
    """Set KEY to VALUE, which is read as JSON where it is JSON, else as text."""
    open_backend().put_document(Document(kind="value", name=key, data={"value": options.read_value(value)}))
    printing.say(f'Set "{key}"')


@kv.command(backend=True, examples="penstock kv delete cursor")
@click.argument("key")
def delete(key: str) -> None:
    """Delete KEY."""
    there = open_backend().delete_document("value", key)
    printing.say(f'Deleted "{key}"' if there else f'There was no key "{key}"')


def _brief(value: Any) -> str:
    return textwrap.shorten(printing.json_text(value), _SHOWN, placeholder=" …")
