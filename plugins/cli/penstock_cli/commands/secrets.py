"""`penstock secrets`."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

import click

from penstock import Secret, errors, settings
from penstock_cli import options, printing
from penstock_cli.groups import Group

_PREFIX: Final = "PENSTOCK_SECRETS__"
_OWNER_ONLY: Final = 0o600
_OWNER_FOLDER: Final = 0o700


@click.group(cls=Group, examples=["penstock secrets list", "penstock secrets set GITHUB_ACCESS_TOKEN < token.txt"])
def secrets() -> None:
    """List, set and delete the secrets of this machine; no value is ever shown."""


@secrets.command("list", examples=["penstock secrets list", "penstock secrets list --json"])
@options.as_json
@options.limit(200)
def list_(*, as_json: bool, limit: int) -> None:
    """List the names of the secrets in the environment and in the home folder.

    What plugins and variables without the prefix PENSTOCK_SECRETS__ hold is not known before it is asked for.
    """
    files = {path.name: str(path) for path in sorted(_folder().glob("*")) if not path.name.startswith(".")}
    variables = {name.removeprefix(_PREFIX): name for name in sorted(os.environ) if name.startswith(_PREFIX)}
    found = sorted({**files, **variables}.items())[:limit]
    if as_json:
        printing.print_json([{"name": name, "from": where} for name, where in found])
    else:
        printing.print_table(("NAME", "FROM"), found)


@secrets.command("set", examples=["penstock secrets set TOKEN", "penstock secrets set TOKEN < token.txt"])
@click.argument("name")
def set_(name: str) -> None:
    """Keep a secret in the home folder, readable by you alone; the value is asked for, or read from standard input."""
    path = _folder() / Secret(name).name
    asks = sys.stdin.isatty()
    value = click.prompt(f"Value of {name}", hide_input=True) if asks else sys.stdin.read().removesuffix("\n")
    if not value:
        raise errors.SettingsError(f'The secret "{name}" needs a value; nothing was given on standard input')
    with errors.told_as(errors.SettingsError, f'The secret "{name}" cannot be kept in {path.parent}', OSError):
        _write(path, value)
    printing.say(f'Set the secret "{name}" in {path}')
    if f"{_PREFIX}{name}" in os.environ:
        printing.say(f"The variable {_PREFIX}{name} goes over it here")


@secrets.command(examples="penstock secrets delete TOKEN")
@click.argument("name")
def delete(name: str) -> None:
    """Delete a secret from the home folder."""
    path = _folder() / Secret(name).name
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        printing.say(f'Deleted the secret "{name}"')
        return
    known = [known.name for known in _folder().glob("*")]
    hint = errors.did_you_mean(name, known)
    raise errors.SecretMissingError(f'There is no secret "{name}" in {_folder()}.{hint}')


def _write(path: Path, value: str) -> None:
    path.parent.mkdir(mode=_OWNER_FOLDER, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(_OWNER_ONLY, exist_ok=False)
    temporary.write_text(value, encoding="utf-8")
    temporary.replace(path)


def _folder() -> Path:
    return settings.get().home / "secrets"
