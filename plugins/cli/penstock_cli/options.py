"""Options that several commands share, and how the words of a command line become values."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from penstock import errors

COUNT: Final = click.IntRange(1, 1_000_000_000)
"""How many of something: not more than a database can count."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def as_json(command: Decorated) -> Decorated:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, with UTC times.")(command)


def limit(default: int) -> Callable[[Decorated], Decorated]:
    """Add `--limit`."""
    return click.option("--limit", type=COUNT, default=default, show_default=True, help="Print at most so many.")


def labels(help: str) -> Callable[[Decorated], Decorated]:  # noqa: A002 - the term click uses
    """Add `--label`, which may be given several times."""
    return click.option("--label", "labels", multiple=True, callback=_named, help=help)


def _named(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(name.strip() for name in names):
        raise click.UsageError("A label is empty; leave --label out for none")
    return names


def parameters(command: Decorated) -> Decorated:
    """Add `-p` and `--params`."""
    one = click.option(
        "-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; JSON, or else text."
    )
    file = click.option(
        "--params",
        "params_file",
        type=click.Path(path_type=Path),
        metavar="FILE.json",
        help="Parameters as a JSON object; -p goes over.",
    )
    return one(file(command))


def executor(command: Decorated) -> Decorated:
    """Add `--executor` and `-o`."""
    type_name = click.option(
        "--executor", "executor_type", metavar="TYPE", help="What runs the tasks: threads, processes, …"
    )
    option = click.option(
        "-o", "--option", "executor_options", multiple=True, metavar="OPTION=VALUE", help="An option of the executor."
    )
    return type_name(option(command))


def executor_request(type_name: str | None, chosen: dict[str, Any]) -> dict[str, Any] | None:
    """Return the executor to ask an agent for; one that is installed here is checked here."""
    if type_name is None:
        if chosen:
            raise click.UsageError("Say with --executor what the options given with -o are for")
        return None
    from penstock.executors import Executor

    wanted = {"type": type_name, **chosen}
    with suppress(errors.PluginMissingError):  # it may be installed where the agent is
        Executor.resolve(wanted)
    return wanted


def pairs(given: Iterable[str], what: str) -> dict[str, Any]:
    """Return `name=value` words as a dictionary, values read as JSON where they are JSON."""
    found = {}
    for word in given:
        name, equals, text = word.partition("=")
        if not equals or not name:
            message = f"{what} is given as NAME=VALUE; found {word!r}"
            raise click.UsageError(message)
        found[name] = read_value(text)
    return found


def read_value(text: str) -> Any:
    """Return *text* read as JSON, or as it is if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_parameters(given: Iterable[str], params_file: Path | None, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run, for a flow whose parameters have the JSON *schemas*, by name.

    What parses as JSON stays the text it was where the schema asks for text. Raises ParameterError for a file that
    holds no JSON object.
    """
    words = list(given)
    values = pairs(words, "A parameter")
    for name, _, text in (word.partition("=") for word in words):
        if (schemas.get(name) or {}).get("type") == "string" and not isinstance(values[name], str):
            values[name] = text
    return {**(_object(params_file) if params_file else {}), **values}


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"The parameters file {path} cannot be read: {error.strerror or error}"
        raise errors.ParameterError(message) from error
    except ValueError as error:
        message = f"The parameters file {path} is not JSON: {error}"
        raise errors.ParameterError(message) from error
    if not isinstance(found, dict):
        message = f"The parameters file {path} must hold a JSON object; found {type(found).__name__}"
        raise errors.ParameterError(message)
    return found


_ISO: Final = "an ISO 8601 time such as 2026-11-22T12:30 (local) or 2026-11-22T11:30Z"


class Moment(click.ParamType[datetime]):
    """A time on the command line; without a zone it is local."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time with its zone."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value)).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not {_ISO}", param, ctx)


def flow_name(text: str) -> tuple[str, str]:
    """Return project and name of a flow given as PROJECT/NAME."""
    project, slash, name = text.partition("/")
    if not slash or not project or not name:
        message = f"A registered flow is named PROJECT/NAME; found {text!r}"
        raise click.UsageError(message)
    return project, name


def new_project(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    """Return the name of a project that is made if there is none; raises UsageError for one no flow could be named by.

    It is a callback of click's.
    """
    if not name.strip():
        raise click.UsageError("The name of a project is empty; expected one such as tutorial")
    if "/" in name:
        hint = name.replace("/", "-")
        message = f"The name of a project has no slash, as flows are named PROJECT/NAME; found {name!r}. Try: {hint}"
        raise click.UsageError(message)
    return name
