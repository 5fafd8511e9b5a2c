"""`penstock storage`."""

import os
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from penstock import clock, errors
from penstock_cli import options, printing
from penstock_cli.groups import Group
from penstock_cli.invocation import open_backend
from penstock_cli.printing import Styled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.backends.models import RegisteredFlow
    from penstock.storage import Storage, Stored

_EVERY_FLOW: Final = 1_000_000
_KIBIBYTE: Final = 1024
_NOT_A_PLACE: Final = {"references", "labels", "secrets", "stored_as_script", "path"}
"""Options of a storage that do not say where it is."""


@click.group(cls=Group, examples=["penstock storage ls", "penstock storage gc --dry-run"])
def storage() -> None:
    """List where the source of flows is stored, and remove what no flow refers to."""


@storage.command(
    backend=True,
    examples=["penstock storage ls", "penstock storage ls s3://bucket/flows", "penstock storage ls --json"],
)
@click.argument("place", required=False)
@options.as_json
@options.limit(200)
def ls(*, place: str | None, as_json: bool, limit: int) -> None:
    """List what is stored in PLACE, a storage's type or URL; by default wherever registered flows are stored."""
    found = list(islice(_everything(place), limit))
    if as_json:
        printing.print_json([_record(stored, flows) for _, stored, flows in found])
        return
    rows = [(*_row(stored), ", ".join(flows) or Styled("none", "dim")) for _, stored, flows in found]
    printing.print_table(("LOCATION", "SIZE", "STORED", "FLOWS"), rows)


@storage.command(
    backend=True,
    examples=["penstock storage gc --dry-run", "penstock storage gc s3://bucket/flows --older-than 24 --yes"],
)
@click.argument("place", required=False)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="HOURS",
    help="Leave what was stored later: it may belong to a flow that is being registered.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def gc(*, place: str | None, older_than: float, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove what is stored in PLACE and no registered flow refers to, in any version of it.

    Only flows of this backend count: do not do this where another backend stores its flows too. What is called like
    something that a flow refers to stays wherever it lies, as one place may have several spellings.
    """
    until = _ago(older_than)
    found = [
        (storage, stored)
        for storage, stored, flows in _everything(place)
        if not flows and stored.modified is not None and stored.modified <= until
    ]
    if as_json:
        printing.print_json([_record(stored, []) for _, stored in found])
    elif not found:
        printing.say("There is nothing to remove")
    else:
        printing.print_table(("LOCATION", "SIZE", "STORED"), [_row(stored) for _, stored in found])
    if dry_run or not found:
        return
    if not yes:
        total = _size(sum(stored.size for _, stored in found))
        click.confirm(f"Remove these {len(found)} ({total})? Flows of other backends are not known here", abort=True)
    for one, stored in found:
        one.remove(stored.location)
    printing.say(f"Removed {len(found)}") if not as_json else None


def _ago(hours: float) -> datetime:
    try:
        return clock.now() - timedelta(hours=hours)
    except (OverflowError, ValueError) as error:
        message = f"--older-than takes hours, and not more than there were since the year 1; found {hours:g}"
        raise click.UsageError(message) from error


def _everything(place: str | None) -> "Iterator[tuple[Storage, Stored, list[str]]]":
    """Yield what lies in the storage that *place* names, or in those of all registered flows and of the settings.

    With it goes the storage, and the flows that refer to it. Two storages over one place tell of it once.
    """
    from penstock.storage import Storage

    flows = open_backend().list_flows(archived=True, limit=_EVERY_FLOW)
    referring, seen = _referring(flows), set[str]()
    for storage in _storages(flows) if place is None else [Storage.resolve(place)]:
        try:
            found = {_plain(stored.location): stored for stored in storage.stored()}
            for location in sorted(found.keys() - seen):
                yield storage, found[location], referring.get(_name(location), [])
            seen |= found.keys()
        except errors.StorageUnreachableError:
            raise
        except errors.StorageError as error:
            click.echo(f"penstock: {error}; it is left out", err=True)


def _storages(flows: "Iterable[RegisteredFlow]") -> "Iterator[Storage]":
    """Yield each storage once that *flows* or the settings name."""
    from penstock.storage import Storage

    configured: Storage = Storage.configured()
    specs = [spec for flow in flows if (spec := flow.spec.get("storage"))]
    distinct = {_where(spec): spec for spec in (*specs, configured.spec().model_dump(mode="json"))}
    for spec in distinct.values():
        bare = {name: value for name, value in spec.get("options", {}).items() if name not in _NOT_A_PLACE}
        try:
            storage: Storage = Storage.restore({**spec, "options": bare})
        except errors.PenstockError as error:
            click.echo(f"penstock: a {spec['type']} storage is left out: {error}", err=True)
        else:
            yield storage


def _where(spec: dict[str, Any]) -> str:
    """Return what tells a storage from others, as text."""
    options = spec.get("options", {})
    return repr((spec["type"], sorted((name, value) for name, value in options.items() if name not in _NOT_A_PLACE)))


def _referring(flows: "Iterable[RegisteredFlow]") -> "dict[str, list[str]]":
    found: dict[str, list[str]] = {}
    for flow in flows:
        references = ((flow.spec.get("storage") or {}).get("options") or {}).get("references") or {}
        for reference in references.values():
            name = f"{flow.project}/{flow.name} v{flow.version}"
            found.setdefault(_name(reference["location"]), []).append(name)
    return found


def _name(location: str) -> str:
    """Return what tells a source from others wherever it lies: the folder of its flow, and the moment it was stored.

    The whole location would not do: a link, a mount or another machine has the same place under another path.
    """
    return "/".join(location.split("/")[-2:])


def _plain(location: str) -> str:
    """Return a location as it is the same in every spelling of a local folder."""
    path = location.removeprefix("file://").removeprefix("local://")
    return location if "://" in path else os.path.realpath(path)


def _record(stored: "Stored", flows: list[str]) -> dict[str, Any]:
    time = stored.modified.isoformat() if stored.modified is not None else None
    return {"location": stored.location, "size": stored.size, "modified": time, "flows": flows}


def _row(stored: "Stored") -> tuple[str, str, str]:
    return stored.location, _size(stored.size), printing.moment(stored.modified)


def _size(size: int) -> str:
    """Return a number of bytes as people say it."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < _KIBIBYTE:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KIBIBYTE
    return f"{amount:.1f} GiB"
