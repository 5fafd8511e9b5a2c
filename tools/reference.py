"""Write the pages of docs/reference that are taken from the code: `.venv/bin/python tools/reference.py`.

A test compares the pages with what this would write, so that they cannot fall behind.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from penstock.errors import PluginMissingError
from penstock.hooks import lookup, specs
from penstock.hooks.kinds import Kind
from penstock.results import Result
from penstock.settings import Settings
from penstock.storage import Storage

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
_SECTION: Final = re.compile(r"^# (.+)$")
_HOOKS_NOTE: Final = """
An offer that raises is recorded with its plugin, an observer that raises is logged with its plugin's name; the others
go on. Arguments may be added to a hook in any release, since an implementation names only those it wants.
"""
_SETTINGS_NOTE: Final = """
`penstock config show` prints each value with where it came from. Unknown names are errors that name the nearest known
one. `executor`, `storage`, `result` and `backend` take a type name or a URL, and the options of that class beside it:
`PENSTOCK_EXECUTOR=processes PENSTOCK_EXECUTOR__MAX_WORKERS=4`.
"""
_STORAGES_NOTE: Final = """
`flow.storage` and `flow.result` take such an object, its type name, or a URL: `"s3://bucket/flows"`. What of
Prefect 1's storages is kept, and what is different, is said [on a page of its own](classic-semantics.md).
"""
_COMMANDS_NOTE: Final = """
What `--help` says. Exit codes: 0 well, 1 the run failed or the answer is no, 2 bad usage or bad input, 3 backend or
storage out of reach, 130 interrupted.
"""


def hooks() -> str:
    """Return the page about hooks, in the order and under the headings of the specification."""
    source = inspect.getsource(specs)
    page = [
        "# Hooks",
        inspect.getdoc(specs) or "",
        _HOOKS_NOTE,
    ]
    for heading, function in _sections(source):
        page.append(f"## {heading}" if function is None else _hook(function))
    return _joined(page)


def _sections(source: str) -> Iterator[tuple[str, ast.FunctionDef | None]]:
    """Yield headings and functions in the order of the file; a comment at the margin is a heading."""
    functions = {node.lineno: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    for number, line in enumerate(source.splitlines(), 1):
        if match := _SECTION.match(line):
            yield match[1], None
        elif number in functions:
            yield functions[number].name, functions[number]


def _hook(node: ast.FunctionDef) -> str:
    options = [keyword.arg for one in node.decorator_list if isinstance(one, ast.Call) for keyword in one.keywords]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    signature = f"{node.name}({ast.unparse(node.args)}){returns}".replace("'", "")
    how = {
        "firstresult": "The first answer that is not None counts.",
        "historic": "Also called for plugins that come later.",
    }
    notes = " ".join(how[option] for option in options if option in how)
    text = textwrap.dedent(ast.get_docstring(node) or "")
    return _joined([f"### {node.name}", f"```text\n{signature}\n```", text, notes]).rstrip()


def settings() -> str:
    """Return the page about settings."""
    page = [
        "# Settings",
        (inspect.getdoc(sys.modules[Settings.__module__]) or ""),
        _SETTINGS_NOTE,
        "## Top level",
        _table(Settings, "", ""),
    ]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            page += [f"## [{name}]", inspect.getdoc(section) or "", _table(section, f"{name}.", f"{name.upper()}__")]
    return _joined(page)


def _table(model: type[BaseModel], path: str, prefix: str) -> str:
    lines = ["| in TOML | in the environment | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            variable = f"PENSTOCK_{prefix}{name.upper()}"
            lines.append(f"| `{path}{name}` | `{variable}` | {_default(field)} | {field.description or ''} |")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Kind):
        return f"`{value.type}`"
    return f"`{value}`" if value or value in (0, False) else ""


def storages() -> str:
    """Return the page about storages and results: what each takes, in the words of its fields."""
    page = ["# Storages and results", _STORAGES_NOTE]
    for kind in (Storage, Result):
        page += [f"## Every {kind.kind}", inspect.getdoc(kind) or "", _options(kind, set())]
    for distribution, offers in lookup.catalogue().items():
        names = [(kind, name) for kind in (Storage, Result) for name in offers.get(kind.kind, "").split()]
        found = [(kind, _offered(kind, name)) for kind, name in names if name[0].isupper()]
        for kind, one in [(kind, one) for kind, one in found if one is not None]:
            types = [
                name for known, name in names if known is kind and name[0].islower() and _offered(kind, name) is one
            ]
            where = f"Type {', '.join(f'`{name}`' for name in types)}, of the plugin `{distribution}`."
            page += [f"## {one.__name__}", where, inspect.getdoc(one) or "", _options(one, set(kind.model_fields))]
    return _joined(page)


def _offered(kind: type[Kind], name: str) -> type[Kind] | None:
    try:
        found: type[Kind] = lookup.find(kind.kind, name)
    except PluginMissingError:  # of the catalogue, and not written yet
        return None
    return found


def _options(kind: type[Kind], known: set[str]) -> str:
    lines = ["| option | default | |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        if name not in known and name != "references":
            default = "required" if field.is_required() else _default(field)
            lines.append(f"| `{name}` | {default} | {field.description or ''} |")
    return "\n".join(lines) if lines[2:] else ""


def commands() -> str:
    """Return the page about commands, as their `--help` says it, without colours."""
    from penstock_cli.main import cli

    page = ["# Commands", _COMMANDS_NOTE]
    page += [_command(path, command) for path, command in _walk("penstock", cli)]
    return _joined(page)


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _walk(f"{path} {name}", below)


def _command(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
    formatter = click.HelpFormatter(width=100)
    plain: Callable[..., Any] = (
        click.Group.format_help if isinstance(command, click.Group) else click.Command.format_help
    )
    plain(command, context, formatter)
    return f"## {path}\n\n```text\n{formatter.getvalue().rstrip()}\n```"


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "hooks.md": hooks,
    "settings.md": settings,
    "commands.md": commands,
    "storages.md": storages,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
