"""`penstock config`."""

import os
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from penstock import errors, settings
from penstock_cli import options, printing
from penstock_cli.groups import Group

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_KINDS: Final = {
    "backend": "penstock.backends:Backend",
    "executor": "penstock.executors:Executor",
    "result": "penstock.results:Result",
    "storage": "penstock.storage:Storage",
}
_PASSWORD: Final = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


@click.group(cls=Group, examples=["penstock config show", "penstock config set executor threads"])
def config() -> None:
    """Show settings, say where they are, set one."""


@config.command(examples=["penstock config show", "PENSTOCK_EXECUTOR=threads penstock config show --json"])
@options.as_json
def show(*, as_json: bool) -> None:
    """Show every setting, its value, and where that came from; passwords and keys are hidden."""
    loaded = settings.loaded()
    rows = [
        (name, _shown(value), _origin(name, loaded.origins))
        for name, value in _flat(loaded.settings.model_dump(mode="json"))
    ]
    if as_json:
        printing.print_json([{"name": name, "value": value, "origin": origin} for name, value, origin in rows])
        return
    table = [
        (name, _text(value), printing.Styled(origin, "dim" if origin == "default" else ""))
        for name, value, origin in rows
    ]
    printing.print_table(("SETTING", "VALUE", "FROM"), table)


@config.command(examples="penstock config path")
def path() -> None:
    """Print the path of your own settings file, which `penstock config set` writes."""
    click.echo(_file())


@config.command("set", examples=["penstock config set executor threads", "penstock config set agent.limit 4"])
@click.argument("key")
@click.argument("value")
def set_(key: str, value: str) -> None:
    """Set KEY to VALUE, JSON or else text, in your own settings file; its comments stay.

    Nothing is written if the settings would not be valid with it.
    """
    file, names = _file(), key.split(".")
    document = _read(file)
    _put(document, names, options.read_value(value))
    loaded = settings.load({"PENSTOCK_HOME": str(file.parent)}, file.parent, document.unwrap())
    _check_kind(names[0], loaded.settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, document.as_string())
    printing.say(f"Set {key} in {file}")
    winner = settings.load(os.environ, Path.cwd()).origins.get(key)
    if winner not in (None, str(file)):
        printing.say(f"{winner} sets {key} too, and wins here")


def _file() -> Path:
    home = os.environ.get("PENSTOCK_HOME") or settings.Settings.model_fields["home"].default
    return Path(home).expanduser() / "config.toml"


def _read(file: Path) -> "TOMLDocument":
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        message = f"{file} is not valid TOML: {error}. Correct it by hand first"
        raise errors.SettingsError(message) from error


def _write(file: Path, text: str) -> None:
    beside = file.with_suffix(f".{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _put(document: Any, names: list[str], value: Any) -> None:
    """Set the value at the dotted path *names*; a kind that is a type name so far becomes a table."""
    import tomlkit

    table = document
    for name in names[:-1]:
        inner = table.get(name)
        if not isinstance(inner, Mapping):
            table[name] = tomlkit.table()
            if isinstance(inner, str):
                table[name]["url" if "://" in inner else "type"] = inner
        table = table[name]
    table[names[-1]] = value


def _check_kind(name: str, chosen: settings.Settings) -> None:
    """Raise SettingsError, or what looking up its type raises, if a kind cannot be made of its options."""
    target = _KINDS.get(name)
    value = getattr(chosen, name) if target else None
    if target and value:
        pkgutil.resolve_name(target).resolve(value)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _origin(name: str, origins: Mapping[str, str]) -> str:
    return origins.get(name) or origins.get(name.partition(".")[0]) or "default"


def _shown(value: Any) -> Any:
    return _PASSWORD.sub(r"\1:***@", value) if isinstance(value, str) else value


def _text(value: Any) -> str | None:
    if value is None or value in ({}, []):
        return None
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
