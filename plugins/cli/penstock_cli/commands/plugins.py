"""`penstock plugins`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from pydantic_core import PydanticUndefined, to_jsonable_python

from penstock import errors, hooks
from penstock_cli import options, printing
from penstock_cli.groups import Command, Group
from penstock_cli.printing import Cell, Styled

if TYPE_CHECKING:
    from penstock.hooks.manager import PluginRecord


@click.group(cls=Group, invoke_without_command=True, examples=["penstock plugins", "penstock plugins show executors"])
@click.pass_context
def plugins(context: click.Context) -> None:
    """Show which plugins are installed, and what they offer.

    Without a command, list them.
    """
    if context.invoked_subcommand is None:
        _list(as_json=False, limit=None)


@plugins.command("list", cls=Command, examples=["penstock plugins list", "penstock plugins list --json"])
@options.as_json
@options.limit(200)
def list_(*, as_json: bool, limit: int) -> None:
    """List the plugins: what each offers, how long it took to load, or why it is left out."""
    _list(as_json=as_json, limit=limit)


def _list(*, as_json: bool, limit: int | None) -> None:
    records = hooks.installed()[:limit]
    if as_json:
        printing.print_json([asdict(record) for record in records])
        return
    rows = [row for record in records for row in _rows(record)]
    printing.print_table(("NAME", "DISTRIBUTION", "OFFERS", "LOADED"), rows)


def _rows(record: "PluginRecord") -> list[tuple[Cell, ...]]:
    distribution = f"{record.distribution or printing.NOTHING} {_short(record.version)}".strip()
    offers = "   ".join(f"{kind}: {', '.join(types)}" for kind, types in record.offers.items())
    first: tuple[Cell, ...] = (Styled(record.name, "bold"), distribution, offers or None, _loaded(record))
    return [first, ("", "", "", record.hint)] if record.hint else [first]


def _loaded(record: "PluginRecord") -> Cell:
    if record.error is not None:
        return Styled(f"broken: {record.error}", "#eb0000")
    return Styled("blocked", "dim") if record.blocked else f"{record.import_ms:.0f} ms"


def _short(version: str | None) -> str:
    return ".".join((version or "").split(".")[:2])


@plugins.command(cls=Command, examples=["penstock plugins show executors", "penstock plugins show fsspec --json"])
@click.argument("name")
@options.as_json
def show(name: str, *, as_json: bool) -> None:
    """Show the hooks of a plugin, what it offers, and the options of that."""
    record = _find(name)
    offers = [_described(kind, type_name) for kind, types in record.offers.items() for type_name in types]
    if as_json:
        printing.print_json({**asdict(record), "classes": offers})
        return
    printing.print_details(
        [
            ("name", record.name),
            ("distribution", f"{record.distribution or printing.NOTHING} {record.version or ''}".strip()),
            ("loaded", _loaded(record)),
            *([("", record.hint)] if record.hint else []),
            ("hooks", ", ".join(record.hooks) or None),
        ]
    )
    for offer in offers:
        click.echo(f"\n{offer['kind']} {click.style(offer['type'], bold=True)}  {offer['class']}")
        if offer["error"]:
            click.echo(f"  {offer['error']}")
        rows = [(f"  {o['name']}", o["type"], _default(o), o["description"]) for o in offer["options"]]
        printing.print_table(("  OPTION", "TYPE", "DEFAULT", ""), rows)


def _find(name: str) -> "PluginRecord":
    known = {record.name: record for record in hooks.installed()}
    if name not in known:
        hint = errors.did_you_mean(name, known) or f" There is {errors.listing(known)}."
        message = f'There is no plugin "{name}".{hint}'
        raise errors.PluginError(message)
    return known[name]


def _described(kind: str, type_name: str) -> dict[str, Any]:
    """Return what there is to know of an offered class; one that cannot be imported says why."""
    from penstock.hooks import lookup

    described: dict[str, Any] = {"kind": kind, "type": type_name, "class": None, "options": [], "error": None}
    try:
        found = lookup.find(kind, type_name)
    except errors.PluginError as error:
        return {**described, "error": str(error)}
    fields = [_option(name, field) for name, field in found.model_fields.items()]
    return {**described, "class": f"{found.__module__}.{found.__qualname__}", "options": fields}


def _option(name: str, field: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": _type(field.annotation),
        "required": field.is_required(),
        "default": None
        if field.get_default(call_default_factory=True) is PydanticUndefined
        else to_jsonable_python(field.get_default(call_default_factory=True), fallback=str),
        "description": field.description,
    }


def _type(annotation: Any) -> str:
    return (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )


def _default(option: dict[str, Any]) -> str | None:
    if option["required"]:
        return "required"
    return None if option["default"] in (None, {}, []) else str(option["default"])
